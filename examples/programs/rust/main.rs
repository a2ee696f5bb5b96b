// A web server in Rust, compiled into one file, with the standard library alone: it listens on $PORT.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

fn answer(connection: &TcpStream) -> std::io::Result<bool> {
    let mut reader = BufReader::new(connection);
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(false);
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let told: String = String::from_utf8_lossy(&body).chars().rev().collect();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n", told.len());
    let mut writer = connection;
    writer.write_all(format!("{head}{told}").as_bytes())?;
    Ok(true)
}

fn main() {
    let port = std::env::var("PORT").expect("$PORT is set");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).expect("the port is free");
    for connection in listener.incoming().flatten() {
        std::thread::spawn(move || while answer(&connection).unwrap_or(false) {});
    }
}
