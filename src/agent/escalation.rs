//! Talking a become program into starting an agent: its words, its question for a password, and what it says when it refuses.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::wire::bootstrap::{DAMAGED, FOUND, NO_PLACE, Packing, WANTED, stub};
use crate::wire::{BecomeMethod, BecomeRequest, ChannelEnd};

/// What `sudo` is told to ask with, so that the question is recognised in any language.
const PROMPT: &str = "[hostler asks for the become password]";

/// What `su` asks with in the languages known, before the colon.
const SU_PROMPTS: &str = "Password|암호|パスワード|Adgangskode|Contraseña|Contrasenya|Hasło|Heslo|Jelszó|Lösenord|Mật khẩu|Mot de passe|Parola|\
    Parool|Pasahitza|Passord|Passwort|Salasana|Sandi|Senha|Wachtwoord|ססמה|Лозинка|Парола|\
    Пароль|गुप्तशब्द|शब्दकूट|సంకేతపదము|හස්පදය|密码|密碼|口令";

/// As much of what a program says is kept.
const KEPT: usize = 16 * 1024;

/// What comes from the program, a piece at a time.
pub enum Heard {
    Output(Vec<u8>),
    Errors(Vec<u8>),
    OutputEnded,
}

/// An agent of another user, at work.
pub struct Started {
    pub child: Child,
    pub input: ChildStdin,
    pub heard: Receiver<Heard>,
    /// What it said already.
    pub first: Vec<u8>,
}

/// Starts an agent as another user.
///
/// # Errors
/// What the program said, or that it said nothing in time.
pub fn start(request: &BecomeRequest) -> Result<Started, ChannelEnd> {
    let failed = |why: String| ChannelEnd::Because(why);
    if request.user.starts_with('-') {
        return Err(failed(format!("`{}` is no user name", request.user)));
    }
    let agent = std::fs::read("/proc/self/exe").map_err(|error| failed(format!("cannot read the agent itself: {error}")))?;
    let hash = hex::encode(Sha256::digest(&agent));
    let mut child = spawn(request, &stub(&hash, agent.len() as u64, Packing::Plain, "")).map_err(failed)?;
    let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
        return Err(failed("a pipe is missing".into()));
    };
    let (sender, heard) = sync_channel(16);
    listen(output, sender.clone(), Heard::Output, Some(Heard::OutputEnded));
    listen(errors, sender, Heard::Errors, None);
    let mut talk = Talk { request, input, heard, said: String::new(), output: Vec::new(), asked: 0, answered: false };
    match talk.negotiate(&agent) {
        Ok(()) => Ok(Started { child, input: talk.input, heard: talk.heard, first: talk.output }),
        Err(why) => {
            // It may be gone by itself.
            child.kill().and_then(|()| child.wait().map(drop)).unwrap_or_default();
            Err(why)
        }
    }
}

fn spawn(request: &BecomeRequest, text: &str) -> Result<Child, String> {
    let words = words(request, text);
    let (program, arguments) = words.split_first().ok_or("no program was given to become another user with")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(folder) = &request.chdir {
        if let Err(error) = std::fs::read_dir(folder) {
            return Err(format!("cd: can't cd to {folder}: {error}"));
        }
        command.current_dir(folder);
    }
    if matches!(request.method, BecomeMethod::Runuser) {
        // runuser keeps the caller's HOME, which is not the user's.
        command.env_remove("XDG_CACHE_HOME").env("HOME", home_of(&request.user));
    }
    command.spawn().map_err(|error| format!("cannot start `{program}`: {error}"))
}

fn home_of(user: &str) -> String {
    crate::system::System::local().query_user(user).ok().flatten().map_or_else(|| "/".into(), |user| user.home)
}

fn listen(mut from: impl Read + Send + 'static, to: SyncSender<Heard>, wrap: fn(Vec<u8>) -> Heard, end: Option<Heard>) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count) = from.read(&mut buffer) {
            // Nobody listens any more once the channel is closed; the pipe is read on, so that the other side does not block.
            if count == 0 {
                break;
            }
            to.send(wrap(buffer[..count].to_vec())).unwrap_or_default();
        }
        if let Some(end) = end {
            to.send(end).unwrap_or_default();
        }
    });
}

/// The program and its words.
fn words(request: &BecomeRequest, text: &str) -> Vec<String> {
    let own = |name: &str| request.program.clone().unwrap_or_else(|| name.to_owned());
    let shell = ["/bin/sh", "-c", text].map(str::to_owned);
    let named = |switch: &str| match request.user.is_empty() {
        true => Vec::new(),
        false => vec![switch.to_owned(), request.user.clone()],
    };
    match request.method {
        BecomeMethod::Sudo => [vec![own("sudo")], sudo_flags(request), named("-u"), shell.into()].concat(),
        BecomeMethod::Doas => [vec![own("doas")], request.flags.clone(), vec!["-n".into()], named("-u"), shell.into()].concat(),
        BecomeMethod::Su => {
            let user = vec![request.user.clone(), "-s".into(), "/bin/sh".into(), "-c".into(), text.to_owned()];
            let user = user.into_iter().filter(|word| !word.is_empty()).collect();
            [vec![own("su")], request.flags.clone(), user].concat()
        }
        BecomeMethod::Runuser => [vec![own("runuser")], request.flags.clone(), named("-u"), vec!["--".into()], shell.into()].concat(),
    }
}

/// With a password `sudo` may ask, and must do so on its stdin; without one it must not.
fn sudo_flags(request: &BecomeRequest) -> Vec<String> {
    let is_short = |flag: &str| flag.starts_with('-') && !flag.starts_with("--");
    let has = |flags: &[String], short: char, long: &str| flags.iter().any(|flag| flag == long || is_short(flag) && flag.contains(short));
    let mut flags = request.flags.clone();
    if request.password.is_none() {
        if !has(&flags, 'n', "--non-interactive") {
            flags.push("-n".into());
        }
        return flags;
    }
    flags.retain(|flag| flag != "-n" && flag != "--non-interactive");
    for flag in flags.iter_mut().filter(|flag| is_short(flag)) {
        *flag = flag.replacen('n', "", 1);
    }
    if !has(&flags, 'S', "--stdin") {
        flags.push("-S".into());
    }
    flags.extend(["-p".into(), PROMPT.into()]);
    flags
}

/// The conversation up to the agent's first word.
struct Talk<'a> {
    request: &'a BecomeRequest,
    input: ChildStdin,
    heard: Receiver<Heard>,
    /// Everything that is not the stub's or the agent's, for the user.
    said: String,
    output: Vec<u8>,
    /// How much of what was said has been looked at for a question.
    asked: usize,
    answered: bool,
}

impl Talk<'_> {
    fn negotiate(&mut self, agent: &[u8]) -> Result<(), ChannelEnd> {
        let failed = |why: &str| Err(ChannelEnd::Because(why.to_owned()));
        let mut patience = Some(Duration::from_secs(self.request.patience.max(1)));
        loop {
            while let Some(line) = self.line() {
                match line.trim() {
                    FOUND => return Ok(()),
                    WANTED => {
                        // It has become the user: what is left takes the time it takes. Should the agent not be kept, the next line says why.
                        patience = None;
                        self.input.write_all(agent).and_then(|()| self.input.flush()).unwrap_or_default();
                    }
                    DAMAGED => return failed("the agent could not be written whole; is the disk full?"),
                    NO_PLACE => return failed("no folder of that user's can hold the agent"),
                    // Greetings of the user's shell.
                    _ => self.keep(line.as_bytes()),
                }
            }
            self.answer()?;
            match self.hear(patience) {
                Ok(Heard::Output(bytes)) => self.output.extend(bytes),
                Ok(Heard::Errors(bytes)) => self.keep(&bytes),
                Ok(Heard::OutputEnded) | Err(RecvTimeoutError::Disconnected) => return Err(self.refusal()),
                Err(RecvTimeoutError::Timeout) => return Err(ChannelEnd::Silent(self.all_said())),
            }
        }
    }

    fn hear(&self, patience: Option<Duration>) -> Result<Heard, RecvTimeoutError> {
        match patience {
            Some(patience) => self.heard.recv_timeout(patience),
            None => self.heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// The next whole line of its output.
    fn line(&mut self) -> Option<String> {
        let end = self.output.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.output.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.said.len() < KEPT {
            self.said.push_str(&String::from_utf8_lossy(bytes));
        }
    }

    fn all_said(&self) -> String {
        let said = format!("{}{}", self.said, String::from_utf8_lossy(&self.output)).replace(PROMPT, "");
        said.trim().to_owned()
    }

    /// Writes the password when it is asked for. A program that asks again did not like it.
    fn answer(&mut self) -> Result<(), ChannelEnd> {
        let half_line = String::from_utf8_lossy(&self.output).into_owned();
        let unseen = self.said.get(self.asked..).unwrap_or_default();
        if !self.is_question(unseen) && !self.is_question(&half_line) {
            return Ok(());
        }
        let method = name_of(self.request.method);
        if self.answered {
            return Err(ChannelEnd::Because(format!("Incorrect {method} password")));
        }
        let Some(password) = &self.request.password else {
            return Err(ChannelEnd::Because(missing_password(self.request)));
        };
        self.answered = true;
        self.asked = self.said.len();
        self.output.clear();
        // A program that is gone by now says why on its other pipes.
        self.input.write_all(format!("{password}\n").as_bytes()).and_then(|()| self.input.flush()).unwrap_or_default();
        Ok(())
    }

    fn is_question(&self, said: &str) -> bool {
        match self.request.method {
            BecomeMethod::Su => {
                let own: Vec<&str> = self.request.prompts.iter().map(String::as_str).collect();
                let prompts = if own.is_empty() { SU_PROMPTS.split('|').collect() } else { own };
                let said = said.to_lowercase();
                prompts.iter().any(|prompt| has_question(&said, &prompt.to_lowercase()))
            }
            BecomeMethod::Sudo | BecomeMethod::Doas | BecomeMethod::Runuser => said.contains(PROMPT),
        }
    }

    /// What a program that ended without starting the agent had to say.
    fn refusal(&mut self) -> ChannelEnd {
        // What it says on its other pipe may come a moment later.
        while let Ok(heard) = self.heard.recv_timeout(Duration::from_millis(200)) {
            if let Heard::Errors(bytes) = heard {
                self.keep(&bytes);
            }
        }
        ChannelEnd::Because(explain(self.request, &self.all_said()))
    }
}

/// A prompt with its colon, or the wide colon of CJK fonts.
fn has_question(said: &str, prompt: &str) -> bool {
    said.match_indices(prompt).any(|(at, _)| said[at + prompt.len()..].trim_start().starts_with([':', '：']))
}

fn name_of(method: BecomeMethod) -> &'static str {
    match method {
        BecomeMethod::Sudo => "sudo",
        BecomeMethod::Su => "su",
        BecomeMethod::Doas => "doas",
        BecomeMethod::Runuser => "runuser",
    }
}

fn missing_password(request: &BecomeRequest) -> String {
    let (method, user) = (name_of(request.method), &request.user);
    format!("Missing {method} password: becoming `{user}` asks for one; give it with -K or ansible_become_password")
}

fn explain(request: &BecomeRequest, said: &str) -> String {
    let lower = said.to_lowercase();
    if lower.contains("password is required") {
        return missing_password(request);
    }
    if lower.contains("try again") || lower.contains("incorrect password") || lower.contains("authentication failure") {
        return format!("Incorrect {} password", name_of(request.method));
    }
    let user = &request.user;
    match said.is_empty() {
        true => format!("cannot become `{user}`: it ended without starting the agent"),
        false => format!("cannot become `{user}`: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(program: &str, method: BecomeMethod) -> BecomeRequest {
        BecomeRequest {
            method,
            user: "ada".into(),
            program: Some(program.into()),
            flags: Vec::new(),
            password: Some("open sesame".into()),
            prompts: Vec::new(),
            chdir: None,
            patience: 1,
        }
    }

    /// A become program that runs this shell text.
    fn stand_in(text: &str) -> (tempfile::TempDir, String) {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("sets the mode");
        let path = path.to_string_lossy().into_owned();
        (folder, path)
    }

    fn refused(text: &str, method: BecomeMethod) -> ChannelEnd {
        let (_folder, program) = stand_in(text);
        match start(&request(&program, method)) {
            Ok(_) => panic!("`{text}` was taken for an agent"),
            Err(why) => why,
        }
    }

    #[test]
    fn a_program_that_says_nothing_is_not_waited_for_without_end() {
        assert_eq!(refused("exec sleep 60", BecomeMethod::Su), ChannelEnd::Silent(String::new()));
        assert_eq!(refused("echo Mot de pass >&2; exec sleep 60", BecomeMethod::Su), ChannelEnd::Silent("Mot de pass".into()));
    }

    #[test]
    fn a_question_in_any_language_is_answered_once() {
        let asks_twice = "printf 'パスワード：' >&2; read -r a; printf 'パスワード：' >&2; exec sleep 60";
        assert_eq!(refused(asks_twice, BecomeMethod::Su), ChannelEnd::Because("Incorrect su password".into()));
        let agent = format!("printf 'Password: ' >&2; read -r a; [ \"$a\" = 'open sesame' ] && echo {FOUND}; exec sleep 60");
        let (_folder, program) = stand_in(&agent);
        let mut started = start(&request(&program, BecomeMethod::Su)).unwrap_or_else(|why| panic!("{why:?}"));
        started.child.kill().expect("ends");
        started.child.wait().expect("ends");
    }

    #[test]
    fn questions_of_ones_own_replace_the_known_ones() {
        let (_folder, program) = stand_in("printf 'Password: ' >&2; exec sleep 60");
        let own = BecomeRequest { prompts: vec!["Losung".into()], ..request(&program, BecomeMethod::Su) };
        assert!(matches!(start(&own), Err(ChannelEnd::Silent(said)) if said == "Password:"));
    }

    #[test]
    fn sudo_is_told_how_to_ask_and_never_asks_without_a_password() {
        let flags = |flags: &[&str], password: bool| {
            let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
            let request = request("sudo", BecomeMethod::Sudo);
            sudo_flags(&BecomeRequest { flags, password: request.password.clone().filter(|_| password), ..request })
        };
        assert_eq!(flags(&["-H", "-S", "-n"], false), ["-H", "-S", "-n"]);
        assert_eq!(flags(&["-E"], false), ["-E", "-n"]);
        assert_eq!(flags(&["-H", "-S", "-n"], true), ["-H", "-S", "-p", PROMPT]);
        assert_eq!(flags(&["-HnE", "--non-interactive"], true), ["-HE", "-S", "-p", PROMPT]);
    }

    #[test]
    fn a_folder_to_start_in_that_is_not_there_is_named() {
        let gone = BecomeRequest { chdir: Some("/nonexistent".into()), ..request("/bin/true", BecomeMethod::Sudo) };
        assert!(matches!(start(&gone), Err(ChannelEnd::Because(why)) if why.starts_with("cd: can't cd to /nonexistent: ")));
    }
}
