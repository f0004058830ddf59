//! A group of alternatives, as `update-alternatives --query` tells it, and what becomes of it.

use std::collections::BTreeMap;

/// A generic name and the programs it may lead to.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub name: String,
    pub link: String,
    /// The links that go along, by their names.
    pub followers: BTreeMap<String, String>,
    /// Whether the one of highest priority is taken.
    pub is_auto: bool,
    /// What the name leads to.
    pub value: Option<String>,
    pub alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alternative {
    pub path: String,
    pub priority: i64,
    /// What the links that go along lead to, by their names.
    pub followers: BTreeMap<String, String>,
}

impl Group {
    pub fn new(name: &str, link: &str) -> Group {
        let (name, link) = (name.to_owned(), link.to_owned());
        Group { name, link, followers: BTreeMap::new(), is_auto: true, value: None, alternatives: Vec::new() }
    }

    pub fn read(told: &str) -> Group {
        let mut group = Group::new("", "");
        for line in told.lines() {
            if let Some(follower) = line.strip_prefix(' ') {
                let (name, path) = follower.split_once(' ').unwrap_or((follower, ""));
                let followers = group.alternatives.last_mut().map_or(&mut group.followers, |alternative| &mut alternative.followers);
                followers.insert(name.to_owned(), path.to_owned());
                continue;
            }
            let Some((field, value)) = line.split_once(": ") else { continue };
            match (field, group.alternatives.last_mut()) {
                ("Name", _) => group.name = value.to_owned(),
                ("Link", _) => group.link = value.to_owned(),
                ("Status", _) => group.is_auto = value == "auto",
                ("Value", _) => group.value = Some(value.to_owned()).filter(|value| value != "none"),
                ("Alternative", _) => group.alternatives.push(Alternative { path: value.to_owned(), ..Alternative::default() }),
                ("Priority", Some(alternative)) => alternative.priority = value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        group
    }

    /// As `--query` tells it.
    pub fn told(&self) -> String {
        let status = if self.is_auto { "auto" } else { "manual" };
        let value = self.value.as_deref().unwrap_or("none");
        let mut told = format!("Name: {}\nLink: {}\n{}Status: {status}\nValue: {value}\n", self.name, self.link, list(&self.followers));
        for one in &self.alternatives {
            told.push_str(&format!("\nAlternative: {}\nPriority: {}\n{}", one.path, one.priority, list(&one.followers)));
        }
        told
    }

    pub fn find(&self, path: &str) -> Option<&Alternative> {
        self.alternatives.iter().find(|alternative| alternative.path == path)
    }

    /// Adds an alternative, or puts it in the place of the one with its path.
    pub fn put(&mut self, alternative: Alternative) {
        match self.alternatives.iter_mut().find(|known| known.path == alternative.path) {
            Some(known) => *known = alternative,
            None => self.alternatives.push(alternative),
        }
        let alternatives = &self.alternatives;
        self.followers.retain(|name, _| alternatives.iter().any(|alternative| alternative.followers.contains_key(name)));
        if self.is_auto {
            self.value = self.best();
        }
    }

    /// Without an alternative; no group is left without any.
    pub fn without(mut self, path: &str) -> Option<Group> {
        self.alternatives.retain(|alternative| alternative.path != path);
        if self.alternatives.is_empty() {
            return None;
        }
        let was_chosen = self.value.as_deref() == Some(path);
        Some(if self.is_auto || was_chosen { self.automatic() } else { self })
    }

    pub fn selected(self, path: &str) -> Group {
        Group { is_auto: false, value: Some(path.to_owned()), ..self }
    }

    pub fn automatic(mut self) -> Group {
        self.is_auto = true;
        self.value = self.best();
        self
    }

    fn best(&self) -> Option<String> {
        // Of several with the highest priority, the first.
        let best = self.alternatives.iter().rev().max_by_key(|alternative| alternative.priority);
        best.map(|alternative| alternative.path.clone())
    }
}

fn list(followers: &BTreeMap<String, String>) -> String {
    if followers.is_empty() {
        return String::new();
    }
    let lines: String = followers.iter().map(|(name, path)| format!(" {name} {path}\n")).collect();
    format!("Slaves:\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_told_as_it_was_read() {
        let told = "Name: pager\nLink: /usr/bin/pager\nSlaves:\n pager.1.gz /usr/share/man/man1/pager.1.gz\nStatus: manual\nValue: none\n\n\
                    Alternative: /bin/more\nPriority: -5\n\nAlternative: /usr/bin/less\nPriority: 77\nSlaves:\n pager.1.gz /usr/share/man/man1/less.1.gz\n";
        let group = Group::read(told);
        assert_eq!(group.told(), told);
        assert_eq!((group.alternatives.len(), group.alternatives[0].priority, group.is_auto), (2, -5, false));
        assert_eq!(group.clone().automatic().value.as_deref(), Some("/usr/bin/less"));
        assert_eq!(group.selected("/bin/more").without("/bin/more").and_then(|group| group.value).as_deref(), Some("/usr/bin/less"));
    }
}
