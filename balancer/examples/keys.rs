//! What a million idempotency keys of forgotten orders cost: memory, disk, a new key on the thread that decides, an old one.
//!
//! `cargo run --release -p balancer --example keys [KEYS]`

#![allow(missing_docs, reason = "the names say it")]

use balancer::keys::measure::measure;

fn main() -> std::io::Result<()> {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir()?;
    let found = measure(dir.path(), count)?;
    println!("{count} keys, {} bytes of memory each until the next snapshot", found.bytes_in_memory);
    println!("  taking one over from the core   {:?}", found.forget);
    println!("  a new key beside them           {:?}", found.new_beside_memory);
    println!("  an old key                      {:?}", found.old_in_memory);
    println!("on the disk: {} bytes each, and {} of filter in memory", found.bytes_on_disk, found.bytes_in_filter);
    println!("  writing one, beside             {:?}", found.write);
    println!("  a new key in front of them      {:?}", found.new_beside_disk);
    println!("  asked of the disk in vain       {} of a million new ones", found.in_vain);
    println!("  an old key, beside              {:?}", found.old_on_disk);
    println!("  the filters after a start       {:?}, beside", found.read_filters);
    Ok(())
}
