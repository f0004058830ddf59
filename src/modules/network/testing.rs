//! A web server of a few answers, for tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// Answers each request by a function of what was asked (request line, headers, body), and remembers what that was.
pub struct Server {
    pub url: String,
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start(answer: impl Fn(&str) -> String + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("has an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let (mut text, mut length) = (String::new(), 0);
                loop {
                    let start = text.len();
                    if reader.read_line(&mut text).unwrap_or(0) == 0 || text[start..].trim().is_empty() {
                        break;
                    }
                    if let Some(value) = text[start..].to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap_or(0);
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap_or_default();
                text.push_str(&String::from_utf8_lossy(&body));
                let reply = answer(&text);
                remembered.lock().expect("is not poisoned").push(text);
                reader.into_inner().write_all(reply.as_bytes()).unwrap_or_default();
            }
        });
        Server { url, asked }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("is not poisoned").clone()
    }
}

/// An answer with a body; `head` is the status and further headers.
pub fn reply(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
