"""What was measured, in words: lines for the terminal while it goes on, and one Markdown text of everything at the end.

Made of the plain data of the results alone, so that it can be made again from the file they were written to.
"""

import plots

BEGIN, END = "<!-- results: written by the bench -->", "<!-- end of results -->"
FACTS = ("new users on the same id", "children on the right parent", "rows without a key", "other edits")


def shown(case):
    """A case as text."""
    lines = ["", case["title"]]
    for row in case["rows"]:
        if row["broken"]:
            lines.append(f"  {row['name']:<34} broke: {row['broken'][:200]}")
        if row["ms"] is None:
            continue
        parts = [f"  {row['name']:<34} {row['ms']['median']:>10.1f} ms"]
        if row["ratio"]:
            parts.append(f"{row['ratio']['median']:.2f} times ours ({row['ratio']['least']:.2f} to {row['ratio']['largest']:.2f})")
        parts.append(f"{mebibytes(row['peak_kib'], 1024)} MiB peak, {written(row)} MiB written")
        if row["lost"]:
            parts.append(f"LOST {row['lost']} edits")
        lines.append("  ".join(parts))
        if row.get("verdict"):
            lines.append(f"    {verdict_line(row['verdict'])}")
    for name, micros in case.get("inside", {}).items():
        middle = micros["median"] if isinstance(micros, dict) else micros
        lines.append(f"  within one process, {name}: {middle:.0f} microseconds")
    return "\n".join(lines)


def verdict_line(verdict):
    parts = [f"{name} {verdict[name]['kept']} of {verdict[name]['of']}" for name in FACTS]
    conflicts = verdict["conflicts"]
    parts.append(f"unreported conflicts {conflicts['unreported']} of {conflicts['of']}" if conflicts else "reports no conflicts")
    return ", ".join([*parts, f"{verdict['rows that differ']} rows differ"])


def markdown(results, plots_at):
    parts = [BEGIN, header(results)]
    for size, mode in grids(results):
        parts.append(grid(results, size, mode))
    for case in results["cases"]:
        if case["job"] == "two-way":
            parts.append(two_way(case))
        if case["job"] == "cron":
            parts.append(cron(case))
    if results["plots"]:
        pictures = [f"![{plot['title']}]({plots_at}/{plot['name']}.svg)" for plot in results["plots"]]
        parts.append("### How costs grow\n\nMilliseconds of a run, medians, with the least and the largest. Both axes grow by powers.\n\n"
                     + "\n".join(pictures))
        parts.append(growth(results["plots"]))
    for other in results["others"]:
        parts.append(f"### {other['name']}\n\n" + (f"```text\n{other['text']}\n```" if other["text"] else "")
                     + (f"Not measured: {other['why']}." if other["why"] else ""))
    return "\n\n".join([*parts, END]) + "\n"


def header(results):
    lines = [f"Measured {results['date']}, {results['machine']}. `{results['command']}`, {results['seconds'] / 60:.0f} minutes.",
             f"Load of the machine (1 minute average) when it began: {results['load'][0]:.1f}, when it ended: {results['load'][1]:.1f}."]
    if results["who"]:
        lines.append(f"Databases were measured {results['who']}.")
    if results["remark"]:
        lines.append(results["remark"])
    lines.append("Versions: " + ", ".join(f"{name} {version}" for name, version in sorted(results["versions"].items())) + ".")
    for name, why in sorted(results["missing"].items()):
        lines.append(f"**Not measured: {name}**, {why}.")
    return "\n".join(lines)


def grids(results):
    found = []
    for case in results["cases"]:
        if "size" in case and (case["size"], case["mode"]) not in found:
            found.append((case["size"], case["mode"]))
    return found


def grid(results, size, mode):
    cases = [case for case in results["cases"] if case.get("size") == size and case["mode"] == mode]
    names = [row["name"] for row in cases[0]["rows"]]
    heads = [f"{int(case['job']):,} edits" if case["job"].isdigit() else {"no-op": "nothing new"}.get(case["job"], case["job"])
             for case in cases]
    lines = [f"### {size:,} rows, {mode}", "", "Median of milliseconds, and how many times ours that is (least to largest within a round).",
             "", table_line(["", *heads, "rows lost"]), "|---|" + "--:|" * (len(cases) + 1)]
    for name in names:
        rows = [row_of(case, name) for case in cases]
        lines.append(table_line([name, *(cell(row) for row in rows), losses(rows)]))
    lines += ["", "Peak memory / bytes written, MiB:", "", table_line(["", *heads]), "|---|" + "--:|" * len(cases)]
    for name in names:
        rows = [row_of(case, name) for case in cases]
        lines.append(table_line([name, *(costs(row) for row in rows)]))
    lines += ["", "The work alone, without the start of PHP or Python, ms:", "", table_line(["", *heads]), "|---|" + "--:|" * len(cases)]
    for name in names:
        rows = [row_of(case, name) for case in cases]
        if any(row["inside_ms"] for row in rows):
            lines.append(table_line([name, *(number(row["inside_ms"]["median"]) if row["inside_ms"] else "-" for row in rows)]))
    broken = {row["broken"] for case in cases for row in case["rows"] if row["broken"]}
    return "\n".join(lines + ["", *sorted(f"Broke: {why[:300]}" for why in broken)]).rstrip()


def table_line(cells):
    return "| " + " | ".join(str(one).replace("|", "\\|") for one in cells) + " |"


def row_of(case, name):
    return next(row for row in case["rows"] if row["name"] == name)


def cell(row):
    if row["ms"] is None:
        return "broke" if row["broken"] else "-"
    text = number(row["ms"]["median"])
    if row["ratio"]:
        text += f", **{times(row['ratio']['median'])}** ({times(row['ratio']['least'])} to {times(row['ratio']['largest'])})"
    return text


def costs(row):
    return f"{mebibytes(row['peak_kib'], 1024)} / {written(row)}" if row["ms"] else "-"


def losses(rows):
    if any(row["broken"] for row in rows):
        return "broke"
    if any(row["lost"] for row in rows):
        return "up to {:,} in a round".format(max(row["lost"] or 0 for row in rows))
    differ = rows[0].get("differ")
    if differ is None:
        return "carries none"
    return f"{differ:,} differ at the end" if differ else "0"


def two_way(case):
    lines = [f"### The two-way job, {case['title'].split(', ')[1]}", "",
             "Facts that are on both sides afterwards, in the worst round; contradictions that nobody was told of.", "",
             table_line(["", *FACTS, "unreported conflicts", "rows that differ", "ms (least to largest)", "work alone, ms", "times ours",
                         "peak MiB", "written MiB"]), "|---|" + "--:|" * 11]
    for row in case["rows"]:
        if not row.get("verdict"):
            lines.append(table_line([row["name"], f"broke: {row['broken'] or '?'}"[:160], *[""] * 10]))
            continue
        told = row["verdict"]
        conflicts = f"{told['conflicts']['unreported']} of {told['conflicts']['of']}" if told["conflicts"] else "all"
        lines.append(table_line([
            row["name"], *(f"{told[name]['kept']:,} of {told[name]['of']:,}" for name in FACTS), conflicts, f"{told['rows that differ']:,}",
            f"{number(row['ms']['median'])} ({number(row['ms']['least'])} to {number(row['ms']['largest'])})",
            number(row["inside_ms"]["median"]) if row["inside_ms"] else "-",
            times(row["ratio"]["median"]) if row["ratio"] else "",
            mebibytes(row["peak_kib"], 1024), written(row)]))
    return "\n".join(lines)


def cron(case):
    ours, *steps = case["rows"]
    ordered = [*steps[:-1], ours, steps[-1]]
    lines = ["### A run each minute in which nothing is new, taken apart", "",
             "The nine databases of the default configuration (20 files of 2,000 rows). Each line does what the one before it does, and more.", "",
             table_line(["", "ms (least to largest)", "more than the line before", "peak MiB"]), "|---|--:|--:|--:|"]
    before = None
    for row in ordered:
        middle = row["ms"]["median"]
        lines.append(table_line([
            f"{row['name']}" + (f" ({row['note']})" if row["note"] else ""),
            f"{number(middle)} ({number(row['ms']['least'])} to {number(row['ms']['largest'])})",
            "" if before is None else number(middle - before), mebibytes(row["peak_kib"], 1024)]))
        before = middle
    inside = case["inside"]
    lines += ["", "Within one process, `cr0_db_sync` again and again: " + ", ".join(
        f"{name} {inside[name]['median']:.0f} µs ({inside[name]['least']:.0f} to {inside[name]['largest']:.0f})"
        for name in ("one database", "nine databases")) + f"; each database more costs {inside['each database more']:.0f} µs."]
    return "\n".join(lines)


def growth(all_of_them):
    lines = []
    for plot in all_of_them:
        counts = [x for x, _ in next(iter(plot["series"].values()))]
        lines += [table_line([plot["title"], *(plots.short(count) for count in counts)]), "|---|" + "--:|" * len(counts)]
        for name, series in plot["series"].items():
            found = dict((x, spread) for x, spread in series)
            lines.append(table_line([f"{name}, ms", *(number(found[x]["median"]) if x in found else "-" for x in counts)]))
        lines.append("")
    return "\n".join(lines).rstrip()


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def times(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.095 else f"{value:.3f}"


def mebibytes(spread, divisor):
    value = spread["median"] / divisor
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def written(row):
    return mebibytes(row["written"], 1 << 20)
