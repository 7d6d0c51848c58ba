//! Small pieces of SQL text: quoting, and finding a column's definition in the owner's own words.
//!
//! Apart from `schema`, which asks SQLite; this reads what only the text of `sqlite_schema` tells. Pure.

/// An identifier in double quotes.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The definition of a column as it stands in a CREATE TABLE statement, name included.
pub(crate) fn column_definition(create: &str, column: &str) -> Option<String> {
    let tokens = tokens(create);
    let open = tokens.iter().position(|token| token.text == "(")?;
    let mut depth = 0_usize;
    let mut first = None;
    let mut last_end = 0;
    for token in tokens.iter().skip(open) {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = depth == 0 || (depth == 1 && token.text == ",");
        if !ends {
            if first.is_none() && !(depth == 1 && token.text == "(") {
                first = Some(token);
            }
            last_end = token.end;
            continue;
        }
        if let Some(start) = first.take()
            && unquote(start.text).eq_ignore_ascii_case(column)
        {
            return create.get(start.start..last_end).map(str::to_owned);
        }
        if depth == 0 {
            break;
        }
    }
    None
}

/// Whether the statement declares AUTOINCREMENT.
pub(crate) fn has_autoincrement(create: &str) -> bool {
    tokens(create).iter().any(|token| token.text.eq_ignore_ascii_case("autoincrement"))
}

/// A form in which two statements that mean the same compare equal: without comments, space and quotes, and with
/// case folded outside of literals.
pub(crate) fn normalised(statement: &str) -> String {
    let mut words = Vec::new();
    for token in tokens(statement) {
        words.push(match token.text.chars().next() {
            Some('\'') => token.text.to_owned(),
            Some('"' | '`' | '[') => unquote(token.text).to_ascii_lowercase(),
            _ => token.text.to_ascii_lowercase(),
        });
    }
    words.join(" ")
}

/// What a CREATE VIRTUAL TABLE statement asks of which module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declaration {
    /// The module, in lower case.
    pub(crate) module: String,
    /// Its arguments of the form `name = value`, names in lower case, values without quotes.
    pub(crate) options: Vec<(String, String)>,
}

impl Declaration {
    /// The value of an option; the last one counts.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a CREATE VIRTUAL TABLE statement; `None` for any other.
pub(crate) fn declaration(create: &str) -> Option<Declaration> {
    let tokens = tokens(create);
    let using = tokens.iter().position(|token| token.text.eq_ignore_ascii_case("using"))?;
    if !matches!(made_by(create)?, Made::Virtual(_)) {
        return None;
    }
    let module = unquote(tokens.get(using + 1)?.text).to_ascii_lowercase();
    let mut options = Vec::new();
    let mut depth = 0_usize;
    let mut argument: Vec<&str> = Vec::new();
    for token in tokens.iter().skip(using + 2) {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = depth == 0 || (depth == 1 && token.text == ",");
        if !ends {
            if !(depth == 1 && token.text == "(") {
                argument.push(token.text);
            }
            continue;
        }
        if let [name, "=", value @ ..] = argument.as_slice() {
            let value = value.iter().map(|part| unquote(part)).collect();
            options.push((unquote(name).to_ascii_lowercase(), value));
        }
        argument.clear();
    }
    Some(Declaration { module, options })
}

/// The name of the last constraint of a CREATE TABLE statement.
pub(crate) fn last_constraint(create: &str) -> Option<String> {
    let tokens = tokens(create);
    let at = tokens.iter().rposition(|token| token.text.eq_ignore_ascii_case("constraint"))?;
    tokens.get(at + 1).map(|token| unquote(token.text))
}

/// A CREATE TABLE, CREATE INDEX or ALTER TABLE statement, made to act on an attached database.
pub(crate) fn in_database(statement: &str, database: &str) -> String {
    let tokens = tokens(statement);
    let word =
        |index: usize| tokens.get(index).map(|token| token.text.to_ascii_lowercase()).unwrap_or_default();
    let kind = (0..tokens.len().min(4)).find(|index| matches!(word(*index).as_str(), "table" | "index"));
    let Some(mut name) = kind.map(|kind| kind + 1) else { return statement.to_owned() };
    if word(name) == "if" && word(name + 1) == "not" {
        name += 3;
    }
    let Some(token) = tokens.get(name) else { return statement.to_owned() };
    let (Some(before), Some(after)) = (statement.get(..token.start), statement.get(token.start..)) else {
        return statement.to_owned();
    };
    format!("{before}{}.{after}", quote(database))
}

/// What a schema statement makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Made {
    /// A table of this name.
    Table(String),
    /// A virtual table of this name.
    Virtual(String),
    /// A view of this name.
    View(String),
    /// A trigger of this name.
    Trigger(String),
    /// An index of this name.
    Index(String),
    /// A column of a table.
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
}

/// What a CREATE or an ALTER TABLE ADD COLUMN statement makes; `None` for any other.
pub(crate) fn made_by(statement: &str) -> Option<Made> {
    let tokens = tokens(statement);
    let is = |index: usize, word: &str| {
        tokens.get(index).is_some_and(|token| token.text.eq_ignore_ascii_case(word))
    };
    let name = |index: usize| tokens.get(index).map(|token| unquote(token.text));
    let kind =
        (1..4).find(|index| ["table", "index", "view", "trigger"].iter().any(|word| is(*index, word)))?;
    let mut at = kind + 1;
    if is(at, "if") && is(at + 1, "not") {
        at += 3;
    }
    if is(0, "create") {
        return name(at).map(match () {
            () if is(kind, "index") => Made::Index,
            () if is(kind, "view") => Made::View,
            () if is(kind, "trigger") => Made::Trigger,
            () if is(kind - 1, "virtual") => Made::Virtual,
            () => Made::Table,
        });
    }
    if !is(0, "alter") {
        return None;
    }
    let mut column = at + 1;
    column += usize::from(is(column, "add"));
    column += usize::from(is(column, "column"));
    Some(Made::Column { table: name(at)?, column: name(column)? })
}

/// What a trigger waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A new row.
    Insert,
    /// A changed row.
    Update,
    /// A row less.
    Delete,
}

/// The event of a CREATE TRIGGER statement.
pub(crate) fn event(create: &str) -> Option<Event> {
    let tokens = tokens(create);
    let word = |token: &Token<'_>, word: &str| token.text.eq_ignore_ascii_case(word);
    let trigger = tokens.iter().position(|token| word(token, "trigger"))?;
    // The name, which may be one of these words, comes first.
    let mut name = trigger + 1;
    let at = |index: usize, text: &str| tokens.get(index).is_some_and(|token| word(token, text));
    if at(name, "if") && at(name + 1, "not") {
        name += 3;
    }
    tokens.iter().skip(name + 1).find_map(|token| match () {
        () if word(token, "insert") => Some(Event::Insert),
        () if word(token, "update") => Some(Event::Update),
        () if word(token, "delete") => Some(Event::Delete),
        () => None,
    })
}

struct Token<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

/// Splits SQL into names, literals and single characters; comments and space vanish.
fn tokens(sql: &str) -> Vec<Token<'_>> {
    let bytes = sql.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let mut tokens = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let byte = at(start);
        let mut end = start + 1;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => {
                start = end;
                continue;
            }
            b'-' if at(end) == b'-' => {
                while end < bytes.len() && at(end) != b'\n' {
                    end += 1;
                }
                start = end;
                continue;
            }
            b'/' if at(end) == b'*' => {
                end += 1;
                while end < bytes.len() && !(at(end) == b'*' && at(end + 1) == b'/') {
                    end += 1;
                }
                start = end + 2;
                continue;
            }
            b'\'' | b'"' | b'`' | b'[' => {
                let close = if byte == b'[' { b']' } else { byte };
                while end < bytes.len() {
                    if at(end) == close {
                        if close != b']' && at(end + 1) == close {
                            end += 1;
                        } else {
                            break;
                        }
                    }
                    end += 1;
                }
                end = (end + 1).min(bytes.len());
            }
            _ if is_word(byte) => {
                while end < bytes.len() && is_word(at(end)) {
                    end += 1;
                }
            }
            _ => {}
        }
        if let Some(text) = sql.get(start..end) {
            tokens.push(Token { text, start, end });
        }
        start = end;
    }
    tokens
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn unquote(token: &str) -> String {
    let inner = || token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
    match token.chars().next() {
        Some(quote @ ('"' | '`' | '\'')) => inner().replace(&format!("{quote}{quote}"), &quote.to_string()),
        Some('[') => inner().to_owned(),
        _ => token.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_found_in_the_owners_words() {
        let create = "CREATE TABLE \"a(b\" (id INTEGER PRIMARY KEY, -- x, y\n  nick TEXT NOT NULL COLLATE NOCASE,\n\
                      [odd name] TEXT DEFAULT 'a,b)' CHECK (length([odd name]) > (0)), p DECIMAL(10, 2) /* , */ DEFAULT 0)";
        for (column, expected) in [
            ("id", Some("id INTEGER PRIMARY KEY")),
            ("NICK", Some("nick TEXT NOT NULL COLLATE NOCASE")),
            ("odd name", Some("[odd name] TEXT DEFAULT 'a,b)' CHECK (length([odd name]) > (0))")),
            ("p", Some("p DECIMAL(10, 2) /* , */ DEFAULT 0")),
            ("q", None),
        ] {
            assert_eq!(column_definition(create, column).as_deref(), expected, "{column}");
        }
    }

    #[test]
    fn statements_move_to_another_database() {
        for (statement, expected) in [
            ("CREATE TABLE t(a)", "CREATE TABLE \"base\".t(a)"),
            ("create table if not exists [t t] (a)", "create table if not exists \"base\".[t t] (a)"),
            ("CREATE UNIQUE INDEX i ON t(a)", "CREATE UNIQUE INDEX \"base\".i ON t(a)"),
            ("ALTER TABLE \"t\" ADD COLUMN a", "ALTER TABLE \"base\".\"t\" ADD COLUMN a"),
        ] {
            assert_eq!(in_database(statement, "base"), expected);
        }
    }

    #[test]
    fn statements_say_what_they_make() {
        let column = |table: &str, column: &str| Made::Column { table: table.into(), column: column.into() };
        for (statement, expected) in [
            ("CREATE TABLE t(a)", Some(Made::Table("t".into()))),
            ("create table if not exists [t t] (a)", Some(Made::Table("t t".into()))),
            ("CREATE UNIQUE INDEX \"i\"\"\" ON t(a)", Some(Made::Index("i\"".into()))),
            ("ALTER TABLE \"t\" ADD COLUMN a INT", Some(column("t", "a"))),
            ("ALTER TABLE t ADD [b c]", Some(column("t", "b c"))),
            ("CREATE VIRTUAL TABLE f USING fts5(a)", Some(Made::Virtual("f".into()))),
            ("CREATE VIEW v AS SELECT 1", Some(Made::View("v".into()))),
            ("CREATE TRIGGER [t r] AFTER INSERT ON t BEGIN SELECT 1; END", Some(Made::Trigger("t r".into()))),
            ("CREATE TABLE if(a)", Some(Made::Table("if".into()))),
            ("DROP VIEW v", None),
        ] {
            assert_eq!(made_by(statement), expected);
        }
    }

    #[test]
    fn virtual_tables_say_what_they_ask_of_which_module() {
        for (statement, module, content) in [
            ("CREATE VIRTUAL TABLE f USING fts5(a, b UNINDEXED)", Some("fts5"), None),
            ("CREATE VIRTUAL TABLE f USING FTS5(a, content='')", Some("fts5"), Some("")),
            ("CREATE VIRTUAL TABLE f USING fts4(content=\"t t\", a, b)", Some("fts4"), Some("t t")),
            (
                "CREATE VIRTUAL TABLE f USING fts5(a, content = notes , tokenize='x (,) y')",
                Some("fts5"),
                Some("notes"),
            ),
            ("CREATE VIRTUAL TABLE f USING fts3", Some("fts3"), None),
            ("CREATE TABLE f(a)", None, None),
        ] {
            let found = declaration(statement);
            assert_eq!(found.as_ref().map(|found| found.module.as_str()), module, "{statement}");
            assert_eq!(found.as_ref().and_then(|found| found.option("content")), content, "{statement}");
        }
    }

    #[test]
    fn triggers_say_what_they_wait_for() {
        for (statement, expected) in [
            (
                "CREATE TRIGGER \"insert\" BEFORE DELETE ON t BEGIN INSERT INTO u VALUES(1); END",
                Some(Event::Delete),
            ),
            ("CREATE TRIGGER update after Insert ON t BEGIN SELECT 1; END", Some(Event::Insert)),
            ("CREATE TRIGGER x UPDATE OF a, b ON t BEGIN SELECT 1; END", Some(Event::Update)),
            ("CREATE VIEW v AS SELECT 1", None),
        ] {
            assert_eq!(event(statement), expected, "{statement}");
        }
    }

    #[test]
    fn statements_compare_without_their_looks() {
        assert_eq!(normalised("CREATE TABLE \"T\"(a  INT)"), normalised("create table t ( A int ) -- x"));
        assert_ne!(normalised("CREATE TABLE t(a DEFAULT 'X')"), normalised("CREATE TABLE t(a DEFAULT 'x')"));
    }

    #[test]
    fn autoincrement_is_a_word_not_a_substring() {
        assert!(has_autoincrement("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT)"));
        assert!(!has_autoincrement(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, autoincrement_x, \"autoincrement\")"
        ));
    }

    #[test]
    fn broken_text_ends() {
        for text in ["", "(", "CREATE TABLE t(", "'", "/*", "[a", "--", "ä(ö"] {
            column_definition(text, "a");
            normalised(text);
        }
    }
}
