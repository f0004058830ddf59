//! How an agent comes to a host in the channel it will talk over: a small POSIX shell text that finds the agent by its hash, or takes it
//! from stdin, checks it and runs it. No second login, no file transfer of its own.

/// The line that says the agent is there, or has arrived whole, and starts now.
pub const FOUND: &str = "hostler-agent:found";
/// The line that asks for the agent's bytes.
pub const WANTED: &str = "hostler-agent:wanted";
/// What arrived was not what was sent; the host's disk may be full.
pub const DAMAGED: &str = "hostler-agent:damaged";
/// The agent that is to be found again is not there any more.
pub const GONE: &str = "hostler-agent:gone";
/// No folder of the user's can hold the agent.
pub const NO_PLACE: &str = "hostler-agent:no-place";

/// How the bytes are packed on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
}

/// The shell text. The agent is started with `words`. `hash` is the SHA-256 of the unpacked agent, `size` the number of packed bytes that will follow.
pub fn stub(hash: &str, size: u64, packing: Packing, words: &str) -> String {
    let unpack = match packing {
        Packing::Plain => "cat",
        Packing::Gzip => "gzip -dc",
    };
    // The loop over folders stands twice on purpose: every place is looked at before any is written to.
    format!(
        r#"c="${{XDG_CACHE_HOME:-$HOME/.cache}}/hostler"; v="/var/tmp/hostler-$(id -u)"
for d in "$c" "$v"; do a="$d/agent-{hash}"; if [ -x "$a" ] && [ -O "$a" ]; then echo {FOUND}; exec "$a" agent{words}; fi; done
for d in "$c" "$v"; do
  (umask 077 && mkdir -p "$d") 2>/dev/null && [ -O "$d" ] && [ -w "$d" ] || continue
  t=$(mktemp "$d/.agent.XXXXXX" 2>/dev/null) || continue
  echo {WANTED}; head -c {size} | {unpack} >"$t"; s=$(sha256sum <"$t")
  if [ "${{s%% *}}" != {hash} ]; then rm -f "$t"; echo {DAMAGED}; exit 96; fi
  chmod 700 "$t" && mv -f "$t" "$d/agent-{hash}" && echo {FOUND} && exec "$d/agent-{hash}" agent{words}
done
echo {NO_PLACE}; exit 97"#
    )
}

/// The shell text that leads back to an agent that runs.
pub fn way_back(hash: &str, token: &str) -> String {
    format!(
        r#"for d in "${{XDG_CACHE_HOME:-$HOME/.cache}}/hostler" "/var/tmp/hostler-$(id -u)"; do
  if [ -S "$d/link-{token}" ]; then exec "$d/agent-{hash}" agent --attach {token}; fi
done
echo {GONE}"#
    )
}
