//! The walls of the house: what docs/architecture.md says of layers, sizes and async, held to by reading the source.
//! The other wall is `clippy.toml`, for calls that must not be made.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. A room uses rooms of lower floors, and itself.
const FLOORS: [&[&str]; 8] = [
    &["base"],
    &["wire", "system", "yaml", "vault"],
    &["language", "template", "inventory", "keycloak"],
    &["modules"],
    &["agent", "transport", "history"],
    &["report"],
    &["engine", "lab"],
    &["cli"],
];

/// Rooms that wait for something else than the host they run on.
const ASYNC: [&str; 6] = ["transport", "history", "keycloak", "engine", "lab", "cli"];

/// Synchronous to those who call it, over a library that is not.
const ASYNC_INSIDE: [&str; 1] = ["src/system/postgres.rs"];

/// A file is read at a sitting.
const LINES: usize = 400;

/// Files that are longer, with the length they may have at most. A line leaves this list, none comes in.
const LONG: [(&str, usize); 4] = [
    ("src/base/value.rs", 644),
    ("src/modules/files/unarchive.rs", 403),
    ("src/modules/network/http.rs", 434),
    ("src/modules/packages/apt.rs", 487),
];

#[test]
fn a_room_uses_only_rooms_of_lower_floors() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some(floor) = floor(&file.room) else { continue };
        for used in rooms_used(&file.text) {
            if used != file.room && self::floor(&used).is_some_and(|below| below >= floor) {
                wrong.push(format!("{}: `{}` uses `{used}`, which is not below it", file.path.display(), file.room));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_has_its_floor() {
    let known: BTreeSet<&str> = FLOORS.concat().into_iter().collect();
    let rooms: BTreeSet<String> = sources().into_iter().map(|file| file.room).filter(|room| room != "lib" && room != "main").collect();
    assert_eq!(rooms.iter().map(String::as_str).collect::<BTreeSet<_>>(), known, "src/ and FLOORS differ");
}

#[test]
fn files_can_be_read_at_a_sitting() {
    let mut wrong = Vec::new();
    for file in sources() {
        let name = file.path.to_str().unwrap();
        let lines = file.text.lines().count();
        let most = LONG.iter().find(|(long, _)| *long == name).map_or(LINES, |(_, most)| *most);
        if lines > most {
            wrong.push(format!("{name}: {lines} lines, at most {most}: divide it by meaning"));
        }
    }
    for (name, most) in LONG {
        let lines = fs::read_to_string(root().join(name)).map_or(0, |text| text.lines().count());
        if lines <= LINES {
            wrong.push(format!("{name} is short now ({lines} lines, {most} were allowed): take it off the list"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_rooms_that_wait_for_others_are_async() {
    let wrong: Vec<String> = sources()
        .into_iter()
        .filter(|file| floor(&file.room).is_some() && !ASYNC.contains(&file.room.as_str()))
        .filter(|file| !ASYNC_INSIDE.iter().any(|inside| file.path == Path::new(inside)))
        .filter(|file| code_lines(&file.text).any(|line| line.contains("async ") || line.contains(".await") || line.contains("tokio::")))
        .map(|file| file.path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "async code in rooms that are synchronous: {}", wrong.join(", "));
}

#[test]
fn every_folder_says_what_lives_there() {
    let wrong: Vec<String> = sources()
        .into_iter()
        .filter(|file| file.path.ends_with("mod.rs") && !file.text.starts_with("//!"))
        .map(|file| file.path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "no `//!` at the top of {}", wrong.join(", "));
}

#[test]
fn a_module_reaches_the_host_through_system_alone() {
    // `Command` is `system`'s own; the other way to start a program begins with `std::process`.
    let doors =
        ["std::fs", "fs::read", "fs::write", "std::process", "env::var", "File::open", "File::create", "UnixStream", "TcpStream::connect("];
    let mut wrong = Vec::new();
    for file in sources().into_iter().filter(|file| file.room == "modules") {
        let code = before_tests(&file.text);
        for line in code_lines(code) {
            if let Some(door) = doors.iter().find(|door| line.contains(**door)) {
                wrong.push(format!("{}: `{door}` in `{}`", file.path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_test() {
    let wrong: Vec<String> = sources()
        .into_iter()
        .filter(|file| file.room == "modules" && file.text.contains("const NAME: &'static str =") && !file.text.contains("#[test]"))
        .filter(|file| !file.path.with_extension("").join("tests.rs").exists())
        .map(|file| file.path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "modules without a test: {}", wrong.join(", "));
}

#[test]
fn nothing_is_imported_by_the_handful_outside_tests() {
    let wrong: Vec<String> = sources()
        .into_iter()
        .filter(|file| code_lines(before_tests(&file.text)).any(|line| line.trim_start().starts_with("use super::*")))
        .filter(|file| !file.path.ends_with("tests.rs"))
        .map(|file| file.path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "`use super::*` in {}", wrong.join(", "));
}

struct SourceFile {
    /// From the top of the repository.
    path: PathBuf,
    /// The folder or file right under `src/`.
    room: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<SourceFile> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(root().join("src")).unwrap();
                let room = inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
                let text = fs::read_to_string(&path).unwrap();
                found.push(SourceFile { path: path.strip_prefix(root()).unwrap().to_owned(), room, text });
            }
        }
    }
    found
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

/// Names after `crate::`, alone or in braces.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    let code: String = code_lines(text).collect::<Vec<_>>().join("\n");
    for (_, after) in code.match_indices("crate::").map(|(at, found)| code.split_at(at + found.len())) {
        match after.strip_prefix('{') {
            None => {
                rooms.insert(identifier(after));
            }
            Some(group) => {
                let mut depth = 0;
                for part in group.split_inclusive([',', '{', '}']) {
                    if depth == 0 {
                        rooms.insert(identifier(part.trim_start()));
                    }
                    match part.chars().last() {
                        Some('{') => depth += 1,
                        Some('}') if depth == 0 => break,
                        Some('}') => depth -= 1,
                        _ => {}
                    }
                }
            }
        }
    }
    rooms
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn before_tests(text: &str) -> &str {
    text.find("#[cfg(test)]").map_or(text, |at| &text[..at])
}
