//! `become`: the agent starts itself again as another user and passes frames to and fro. A password is written to the program that asks for
//! it, never to its arguments.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::wire::bootstrap::{DAMAGED, FOUND, NO_PLACE, Packing, WANTED, stub};
use crate::wire::{BecomeMethod, BecomeRequest, FromAgent};

use super::serve::Outbox;

/// What `sudo` and `doas` are told to ask with, so that the question is recognised in any language.
const PROMPT: &str = "[hostler asks for the become password]";

/// The agents behind this one.
pub struct Channels {
    outbox: Outbox,
    inputs: HashMap<u32, Arc<Mutex<Input>>>,
}

/// The stdin of an agent; frames that come before it has started wait.
#[derive(Default)]
struct Input {
    pipe: Option<ChildStdin>,
    waiting: Vec<u8>,
}

impl Input {
    fn write(&mut self, bytes: &[u8]) {
        match &mut self.pipe {
            // A pipe that is closed is reported by the thread that reads the other one.
            Some(pipe) => pipe.write_all(bytes).and_then(|()| pipe.flush()).unwrap_or_default(),
            None => self.waiting.extend_from_slice(bytes),
        }
    }
}

impl Channels {
    pub fn new(outbox: Outbox) -> Self {
        Channels { outbox, inputs: HashMap::new() }
    }

    /// Starts an agent as another user. What goes wrong is told as `ChannelClosed`.
    pub fn open(&mut self, channel: u32, request: BecomeRequest) {
        let input = Arc::new(Mutex::new(Input::default()));
        self.inputs.insert(channel, input.clone());
        let outbox = self.outbox.clone();
        std::thread::spawn(move || {
            let why = match start(&request) {
                Ok(started) => serve_channel(channel, started, &input, &outbox),
                Err(why) => why,
            };
            outbox.send(&FromAgent::ChannelClosed { channel, why });
        });
    }

    pub fn relay(&mut self, channel: u32, frame: &[u8]) {
        if let Some(input) = self.inputs.get(&channel) {
            input.lock().unwrap_or_else(PoisonError::into_inner).write(frame);
        }
    }
}

struct Started {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// The program and its words up to the shell text.
fn words(request: &BecomeRequest, text: &str) -> Vec<String> {
    let user = request.user.clone();
    let mut words: Vec<String> = Vec::new();
    let own = |name: &str| request.program.clone().unwrap_or_else(|| name.to_owned());
    let owned = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    match request.method {
        BecomeMethod::Sudo => {
            words.push(own("sudo"));
            words.extend(request.flags.iter().cloned());
            words.extend(match request.password {
                Some(_) => owned(&["-H", "-S", "-p", PROMPT]),
                None => owned(&["-H", "-n"]),
            });
            words.extend(["-u".into(), user, "--".into()]);
            words.extend(owned(&["/bin/sh", "-c", text]));
        }
        BecomeMethod::Doas => {
            words.push(own("doas"));
            words.extend(request.flags.iter().cloned());
            words.extend(["-n".into(), "-u".into(), user]);
            words.extend(owned(&["/bin/sh", "-c", text]));
        }
        BecomeMethod::Su => {
            words.push(own("su"));
            words.extend(request.flags.iter().cloned());
            words.extend([user, "-s".into(), "/bin/sh".into(), "-c".into(), text.to_owned()]);
        }
        BecomeMethod::Runuser => {
            words.push(own("runuser"));
            words.extend(request.flags.iter().cloned());
            words.extend(["-u".into(), user, "--".into()]);
            words.extend(owned(&["/bin/sh", "-c", text]));
        }
    }
    words
}

fn start(request: &BecomeRequest) -> Result<Started, String> {
    if request.user.starts_with('-') {
        return Err(format!("`{}` is no user name", request.user));
    }
    let agent = std::fs::read("/proc/self/exe").map_err(|error| format!("cannot read the agent itself: {error}"))?;
    let hash = hex::encode(Sha256::digest(&agent));
    let words = words(request, &stub(&hash, agent.len() as u64, Packing::Plain));
    let (program, arguments) = words.split_first().ok_or("no program was given to become another user with")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if matches!(request.method, BecomeMethod::Runuser) {
        // runuser keeps the caller's HOME, which is not the user's.
        command.env_remove("XDG_CACHE_HOME").env("HOME", home_of(&request.user));
    }
    let mut child = command.spawn().map_err(|error| format!("cannot start `{program}`: {error}"))?;
    let missing = || "a pipe is missing".to_owned();
    let mut input = child.stdin.take().ok_or_else(missing)?;
    let mut output = BufReader::new(child.stdout.take().ok_or_else(missing)?);
    let errors = child.stderr.take().ok_or_else(missing)?;
    let said = Arc::new(Mutex::new(String::new()));
    let asked = watch_errors(errors, said.clone());
    if let Some(password) = &request.password {
        answer(&mut input, password, &asked, &mut child)?;
    }
    match handshake(&mut input, &mut output, &agent) {
        Ok(()) => Ok(Started { child, input, output }),
        Err(why) => {
            child.kill().and_then(|()| child.wait().map(drop)).unwrap_or_default();
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            Err(explain(request, &said, &why))
        }
    }
}

fn home_of(user: &str) -> String {
    crate::system::System::local().query_user(user).ok().flatten().map_or_else(|| "/".into(), |user| user.home)
}

/// Collects what the program says on stderr; the receiver hears once when it asks for the password.
fn watch_errors(mut errors: impl Read + Send + 'static, said: Arc<Mutex<String>>) -> std::sync::mpsc::Receiver<()> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(count) = errors.read(&mut buffer) {
            if count == 0 {
                return;
            }
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.push_str(&String::from_utf8_lossy(&buffer[..count]));
            if said.contains(PROMPT) {
                *said = said.replace(PROMPT, "");
                sender.send(()).unwrap_or_default();
            }
        }
    });
    receiver
}

/// Writes the password when it is asked for. A program that needs none starts the agent without asking.
fn answer(input: &mut ChildStdin, password: &str, asked: &std::sync::mpsc::Receiver<()>, child: &mut Child) -> Result<(), String> {
    for _ in 0..40 {
        if asked.recv_timeout(std::time::Duration::from_millis(50)).is_ok() {
            return input.write_all(format!("{password}\n").as_bytes()).map_err(|error| error.to_string());
        }
        if child.try_wait().map_err(|error| error.to_string())?.is_some() {
            return Ok(());
        }
    }
    Ok(())
}

fn handshake(input: &mut ChildStdin, output: &mut impl BufRead, agent: &[u8]) -> Result<(), String> {
    let mut line = String::new();
    loop {
        line.clear();
        match output.read_line(&mut line) {
            Ok(0) | Err(_) => return Err("it ended without starting the agent".into()),
            Ok(_) => {}
        }
        match line.trim() {
            FOUND => return Ok(()),
            // Should it not be kept, the next line says why.
            WANTED => input.write_all(agent).and_then(|()| input.flush()).unwrap_or_default(),
            DAMAGED => return Err("the agent could not be written whole; is the disk full?".into()),
            NO_PLACE => return Err("no folder of that user's can hold the agent".into()),
            // Greetings of the user's shell.
            _ => {}
        }
    }
}

fn explain(request: &BecomeRequest, said: &str, why: &str) -> String {
    let user = &request.user;
    let lower = said.to_lowercase();
    if lower.contains("password is required") {
        return format!("Missing sudo password: becoming `{user}` asks for one; give it with -K or ansible_become_password");
    }
    if lower.contains("try again") || lower.contains("incorrect password") || lower.contains("authentication failure") {
        return format!("Incorrect sudo password for becoming `{user}`");
    }
    let said = said.trim();
    match said.is_empty() {
        true => format!("cannot become `{user}`: {why}"),
        false => format!("cannot become `{user}`: {said}"),
    }
}

fn serve_channel(channel: u32, started: Started, input: &Mutex<Input>, outbox: &Outbox) -> String {
    let Started { mut child, input: pipe, mut output } = started;
    {
        let mut input = input.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut input.waiting);
        input.pipe = Some(pipe);
        input.write(&waiting);
    }
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count) = output.read(&mut buffer) {
        if count == 0 {
            break;
        }
        outbox.send(&FromAgent::Relay { channel, frame: buffer[..count].to_vec() });
    }
    match child.wait() {
        Ok(status) => format!("the agent ended: {status}"),
        Err(error) => error.to_string(),
    }
}
