//! Writes the sound inputs that the fuzzers start from into the corpus, made anew from our own writers.
//!
//! RUSTFLAGS='--cfg fuzzing' cargo run --locked --manifest-path tests/fuzz/Cargo.toml --target-dir target/seed --example seed

use std::path::Path;

fn main() -> std::io::Result<()> {
    for target in ["config", "files", "page", "record", "request", "schema", "state", "trees"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        std::fs::create_dir_all(&directory)?;
        for (name, bytes) in cr0sync::database::fuzz::seeds(target) {
            std::fs::write(directory.join(name), bytes)?;
        }
    }
    Ok(())
}
