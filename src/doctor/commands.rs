//! The commands that findings advise: as whom, which script where, and for which installation. Whoever reads one can enter
//! it as it stands.

use std::path::PathBuf;

use super::Shell;
use crate::config::Config;
use crate::durable;
use crate::durable::quoted;

/// How the scripts are called here.
#[derive(Debug, Clone, Default)]
pub(super) struct Commands {
    /// What comes first where whoever asks is not the cron user.
    user: String,
    /// Where the scripts lie; none where nobody said so.
    scripts: Option<PathBuf>,
    /// What comes last.
    options: String,
}

impl Commands {
    pub(super) fn of(config: &Config, shell: &Shell) -> Commands {
        let user = match durable::user(&config.ownership) {
            Some(user) => as_user(user, &config.ownership.user),
            None => String::new(),
        };
        let scripts = shell.script.as_deref().and_then(|script| script.parent()).map(PathBuf::from);
        let own = config.root.join("cr0sync.json");
        let source = config.source.as_deref().filter(|source| *source != own && source.is_file());
        let source = source.map(|source| format!(" --config {}", quoted(source))).unwrap_or_default();
        Commands { user, scripts, options: format!("{source} --root {}", quoted(&config.root)) }
    }

    pub(super) fn database(&self, words: &str) -> String {
        self.script("database_sync_script.php", words)
    }

    pub(super) fn logs(&self, words: &str) -> String {
        self.script("log_sync_script.php", words)
    }

    pub(super) fn security(&self, words: &str) -> String {
        self.script("security_monitoring_script.php", words)
    }

    fn script(&self, name: &str, words: &str) -> String {
        let path = self.scripts.as_ref().map_or_else(|| name.to_owned(), |place| quoted(&place.join(name)));
        format!("{}php {path} {words}{}", self.user, self.options)
    }
}

/// What comes before a command that is for another user: root needs nothing for that but what each Linux has.
pub(super) fn as_user(user: u32, name: &str) -> String {
    let here = rustix::process::geteuid();
    if here.as_raw() == user {
        String::new()
    } else if here.is_root() {
        format!("runuser -u {name} -- ")
    } else {
        format!("sudo -u {name} ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_the_user_the_script_and_the_root() {
        let root = tempfile::tempdir().unwrap();
        let text = |user: &str, shell: &Shell, source: Option<&str>| {
            let json = format!("{{\"version\": 1, \"ownership\": {{\"user\": \"{user}\"}}}}");
            let mut config = Config::parse(json.as_bytes(), std::path::Path::new("/data/x y"), None).unwrap();
            config.source = source.map(|name| root.path().join(name));
            Commands::of(&config, shell).database("status")
        };
        let shell = Shell { script: Some("/var/www/html/log_sync_script.php".into()), ..Shell::default() };
        let here = durable::user_numbered(rustix::process::geteuid().as_raw()).unwrap();
        let other = if here == "daemon" { "bin" } else { "daemon" };
        let called = "php /var/www/html/database_sync_script.php status";
        let become_other = match rustix::process::geteuid().is_root() {
            true => format!("runuser -u {other} --"),
            false => format!("sudo -u {other}"),
        };
        assert_eq!(text(other, &shell, None), format!("{become_other} {called} --root '/data/x y'"));
        assert_eq!(text(&here, &shell, None), format!("{called} --root '/data/x y'"));
        assert_eq!(
            text(&here, &Shell::default(), Some("gone.json")),
            "php database_sync_script.php status --root '/data/x y'"
        );
        std::fs::write(root.path().join("a.json"), "").unwrap();
        let named = format!("--config {} --root '/data/x y'", root.path().join("a.json").display());
        assert!(text(&here, &shell, Some("a.json")).ends_with(&named));
    }
}
