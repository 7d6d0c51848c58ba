//! Makes the C header where the C interface is built; nothing otherwise.

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    println!("cargo::rerun-if-changed=build.rs");
    header()
}

#[cfg(not(feature = "capi"))]
fn header() -> Outcome {
    Ok(())
}

/// Writes `cr0sync.h` into the build's own directory; tests/abi compares it with the committed one.
#[cfg(feature = "capi")]
fn header() -> Outcome {
    use std::path::{Path, PathBuf};

    /// The noun of each section of the header, in its order.
    const NOUNS: [&str; 11] = [
        "error",
        "system",
        "options",
        "report",
        "database",
        "logs",
        "integrity",
        "access",
        "limits",
        "events",
        "operation",
    ];

    println!("cargo::rerun-if-changed=src/ffi");
    println!("cargo::rerun-if-changed=include/cbindgen.toml");
    let mut configuration = cbindgen::Config::from_file("include/cbindgen.toml")?;
    configuration.after_includes =
        Some(format!("\n#define CR0SYNC_VERSION \"{}\"", std::env::var("CARGO_PKG_VERSION")?));
    let mut builder = cbindgen::Builder::new().with_config(configuration);
    for noun in NOUNS {
        builder = builder.with_src(Path::new("src/ffi").join(format!("{noun}.rs")));
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo gives no OUT_DIR")?);
    let mut header = Vec::new();
    builder.generate()?.write(&mut header);
    // What Rust calls safety is what C calls for.
    let header = String::from_utf8(header)?.replace("# Safety\n", "The caller sees to it:\n");
    std::fs::write(out.join("cr0sync.h"), header)?;
    Ok(())
}
