// A command of WASI in Rust: what it reads, backwards; and who asked for it, in its log.
use std::io::{read_to_string, stdin};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = read_to_string(stdin())?;
    if text.is_empty() {
        return Err("there is nothing to turn around".into());
    }
    eprintln!("{} asks", std::env::var("REMOTE_ADDR")?);
    print!("{}", text.chars().rev().collect::<String>());
    Ok(())
}
