//! Why a host cannot be worked on.

/// Each message is a sentence for the user, with the way out where there is one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LinkError {
    /// Ansible calls it UNREACHABLE.
    #[error("Failed to connect to the host via ssh: {0}")]
    Unreachable(String),
    /// The host was reached; the agent could not be started there.
    #[error("{0}")]
    Agent(String),
    /// The host was reached again, and the agent that was to be found there has ended.
    #[error("the agent is not on the host any more")]
    Gone,
    /// `become` failed.
    #[error("{0}")]
    Become(String),
    /// The become program did not answer in time.
    #[error("{0}")]
    Silent(String),
    #[error("the connection to the host was lost: {0}")]
    Lost(String),
}

impl LinkError {
    /// Whether the host counts as unreachable (as against: reached, and the task failed).
    pub fn is_unreachable(&self) -> bool {
        !matches!(self, LinkError::Become(_))
    }
}
