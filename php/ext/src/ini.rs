//! The settings in php.ini. They say where the configuration is, never what it says.

use std::path::PathBuf;

use ext_php_rs::flags::IniEntryPermission;
use ext_php_rs::zend::{IniEntryDef, IniEntryDefs};

use crate::engine;

/// For php.ini, the web server and `-d`, not for `ini_set`: a page must not send a run elsewhere by accident.
const WHO: IniEntryPermission = IniEntryPermission::PerDir.union(IniEntryPermission::System);

static ENTRIES: IniEntryDefs<3> = IniEntryDefs::new([
    IniEntryDef::new(c"cr0sync.config", c"", WHO),
    IniEntryDef::new(c"cr0sync.root", c"", WHO),
    IniEntryDef::end(),
]);

/// Makes the settings known, at module startup.
pub(crate) fn register(module: i32) {
    IniEntryDef::register(ENTRIES.as_slice(), module);
}

/// Takes them back, at module shutdown.
pub(crate) fn unregister(module: i32, kind: i32) {
    engine::unregister_ini(module, kind);
}

/// The configuration file that the settings name.
pub(crate) fn config() -> Option<PathBuf> {
    engine::ini(c"cr0sync.config")
}

/// The root that the settings name.
pub(crate) fn root() -> Option<PathBuf> {
    engine::ini(c"cr0sync.root")
}
