//! The names of `/etc/hosts` as this run sees the file: in check mode with what an earlier task would have written there.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use reqwest::blocking::{Client, ClientBuilder};

use crate::system::System;

/// A client that knows the names in the file; it asks DNS for all others.
pub fn client_builder(sys: &System) -> ClientBuilder {
    let text = sys.query_text(Path::new("/etc/hosts")).unwrap_or_default();
    let entries = text.lines().filter_map(entry);
    let mut names: Vec<(&str, Vec<SocketAddr>)> = Vec::new();
    for (address, name) in entries.flat_map(|(address, names)| names.map(move |name| (address, name))) {
        // The port is the URL's own where this one is 0.
        let address = SocketAddr::new(address, 0);
        match names.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, addresses)) => addresses.push(address),
            None => names.push((name, vec![address])),
        }
    }
    names.into_iter().fold(Client::builder(), |builder, (name, addresses)| builder.resolve_to_addrs(name, &addresses))
}

/// An address and its names.
fn entry(line: &str) -> Option<(IpAddr, impl Iterator<Item = &str>)> {
    let mut words = line.split('#').next()?.split_whitespace();
    Some((words.next()?.parse().ok()?, words))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use crate::modules::testing::Machine;
    use crate::system::Overlay;

    #[test]
    fn a_name_that_an_earlier_task_would_write_is_found_in_check_mode() {
        let server = TcpListener::bind("127.0.0.1:0").expect("listens");
        let port = server.local_addr().expect("has an address").port();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().expect("is called");
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).expect("reads");
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfound").expect("answers");
        });
        let mut machine = Machine::new(Overlay::empty().with_directory("/srv").with_file("/etc/hosts", "::1 other # files.lab.test\n"));
        machine.task("lineinfile: { path: /etc/hosts, line: '127.0.0.1 x files.lab.test' }").expect("runs");
        let task = format!("get_url: {{ url: 'http://files.lab.test:{port}/', dest: /srv/got, use_proxy: false }}");
        machine.task_once(&task).expect("is answered");
        answering.join().expect("ends");
    }
}
