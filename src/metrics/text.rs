//! The text format: a head for each family, and a line for each sample.
//!
//! Pure. Names and help are ours; values of labels are anybody's, and are written so that none can end its line.

use std::fmt::Write;

/// What a number does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
}

/// One number with its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) value: i64,
}

/// All numbers of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) samples: Vec<Sample>,
}

/// Families without a sample are left out.
pub(super) fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let (name, help) = (family.name, family.help);
        let kind = match family.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for sample in &family.samples {
            let labels: Vec<String> = sample
                .labels
                .iter()
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                .collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(text, "{name}{labels} {}", sample.value);
        }
    }
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_a_label_ends_its_line() {
        let sample =
            |value: &str| Sample { labels: vec![("a", value.to_owned()), ("b", "x".to_owned())], value: -1 };
        let family = |samples| Family { name: "cr0sync_x", help: "What.", kind: Kind::Counter, samples };
        let families =
            [family(vec![sample("q\"\\\nz"), Sample { labels: Vec::new(), value: 7 }]), family(Vec::new())];
        assert_eq!(
            text(&families),
            "# HELP cr0sync_x What.\n# TYPE cr0sync_x counter\n\
             cr0sync_x{a=\"q\\\"\\\\\\nz\",b=\"x\"} -1\ncr0sync_x 7\n"
        );
    }
}
