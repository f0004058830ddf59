//! The lines of an INI file: where sections are, and which lines set an option.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// `a=b`
    Tight,
    /// `a = b`
    Wide,
}

/// How an option is edited.
#[derive(Clone, Copy, Debug)]
pub struct Edit<'a> {
    pub option: &'a str,
    pub spacing: Spacing,
    pub ignore_spaces: bool,
    pub allow_no_value: bool,
    /// Take over lines that are commented out.
    pub revive: bool,
    pub exclusive: bool,
}

/// A line under edit.
struct Slot {
    text: String,
    settled: bool,
}

/// A line that sets an option.
struct Setting<'l> {
    active: bool,
    value: &'l str,
}

/// Ranges of lines of a section of this name, headers included; without a name, the lines before the first header.
pub fn sections(lines: &[String], name: Option<&str>) -> Vec<Range<usize>> {
    let headers: Vec<usize> = (0..lines.len()).filter(|index| lines[*index].starts_with('[')).collect();
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return std::iter::once(0..headers.first().copied().unwrap_or(lines.len())).collect();
    };
    let is_named = |line: &str| {
        let inside = line.strip_prefix('[').and_then(|rest| rest.trim_start().strip_prefix(name.trim()));
        inside.is_some_and(|rest| rest.trim_start().starts_with(']'))
    };
    let ends = headers.iter().skip(1).copied().chain([lines.len()]);
    headers.iter().copied().zip(ends).filter(|(start, _)| is_named(&lines[*start])).map(|(start, end)| start..end).collect()
}

impl<'a> Edit<'a> {
    /// One that only looks.
    pub fn reader(option: &'a str) -> Self {
        Edit { option, spacing: Spacing::Wide, ignore_spaces: false, allow_no_value: false, revive: false, exclusive: true }
    }

    /// Whether the option is set to each of the values; without values, whether it is not set.
    pub fn holds(&self, lines: &[String], wanted: &[String]) -> bool {
        let set: Vec<&str> =
            lines.iter().filter_map(|line| self.setting(line)).filter(|found| found.active).map(|found| found.value).collect();
        if wanted.is_empty() { set.is_empty() } else { wanted.iter().all(|value| set.contains(&value.as_str())) }
    }

    fn setting<'l>(&self, line: &'l str) -> Option<Setting<'l>> {
        let bare = line.trim_end_matches(['\n', '\r']).trim_start_matches([' ', '\t']);
        let (active, rest) = match bare.strip_prefix(['#', ';']) {
            Some(rest) => (false, rest.trim_start_matches([' ', '\t'])),
            None => (true, bare),
        };
        let rest = rest.strip_prefix(self.option)?.trim_start_matches([' ', '\t']);
        match rest.strip_prefix('=') {
            Some(value) => Some(Setting { active, value: value.trim_start_matches([' ', '\t']) }),
            None if rest.is_empty() => Some(Setting { active, value: "" }),
            None => None,
        }
    }

    /// The line for a value; an empty one is no value where that is allowed.
    fn line(&self, value: Option<&str>) -> String {
        match (value, self.spacing) {
            (None, _) => format!("{}\n", self.option),
            (Some(value), Spacing::Tight) => format!("{}={value}\n", self.option),
            (Some(value), Spacing::Wide) => format!("{} = {value}\n", self.option),
        }
    }

    /// New lines for all values.
    pub fn lines(&self, values: &[String]) -> Vec<String> {
        if values.is_empty() && self.allow_no_value {
            return vec![self.line(None)];
        }
        values.iter().map(|value| self.line(Some(value))).collect()
    }

    /// The section's lines with the option set, and what was done. Lines that have a wanted value come first, then other lines of the
    /// option take the values left, then new lines are made at the end of the section.
    pub fn set(&self, lines: Vec<String>, mut values: Vec<String>) -> (Vec<String>, &'static str) {
        let wants_none = values.is_empty() && self.allow_no_value;
        let mut slots: Vec<Slot> = lines.into_iter().map(|text| Slot { text, settled: false }).collect();
        let (mut changed, mut has_none) = (false, false);
        for index in self.places(&slots) {
            let found = self.setting(&slots[index].text).map(|found| found.value.to_owned()).unwrap_or_default();
            if let Some(at) = values.iter().position(|wanted| *wanted == found) {
                let wanted = values.remove(at);
                let none = wanted.is_empty() && self.allow_no_value;
                changed |= self.settle(&mut slots[index], self.line((!none).then_some(wanted.as_str())));
            } else if wants_none && !has_none {
                has_none = true;
                changed |= self.settle(&mut slots[index], self.line(None));
            }
        }
        if self.exclusive && !self.allow_no_value {
            for index in self.places(&slots) {
                if !slots[index].settled && !values.is_empty() {
                    let wanted = values.remove(0);
                    changed |= self.settle(&mut slots[index], self.line(Some(&wanted)));
                }
            }
            let before = slots.len();
            slots.retain(|slot| slot.settled || !self.setting(&slot.text).is_some_and(|found| found.active));
            changed |= slots.len() != before;
        }
        let mut lines: Vec<String> = slots.into_iter().map(|slot| slot.text).collect();
        let is_complete = values.is_empty() && (!wants_none || has_none);
        if is_complete {
            return (lines, if changed { "option changed" } else { "OK" });
        }
        let end = (0..lines.len()).rev().find(|index| !is_blank_or_comment(&lines[*index])).map_or(lines.len(), |index| index + 1);
        lines.splice(end..end, self.lines(&values));
        (lines, "option added")
    }

    /// Indexes of lines that set the option; active ones before those that are commented out.
    fn places(&self, slots: &[Slot]) -> Vec<usize> {
        let setting = |index: usize| self.setting(&slots[index].text).filter(|found| found.active || self.revive);
        let mut places: Vec<usize> = (0..slots.len()).filter(|index| setting(*index).is_some()).collect();
        places.sort_by_key(|index| setting(*index).is_some_and(|found| !found.active));
        places
    }

    /// Puts a line in its place; says whether it was another one.
    fn settle(&self, slot: &mut Slot, new: String) -> bool {
        slot.settled = true;
        if slot.text == new || (self.ignore_spaces && self.same_but_for_spaces(&slot.text, &new)) {
            return false;
        }
        slot.text = new;
        true
    }

    fn same_but_for_spaces(&self, old: &str, new: &str) -> bool {
        match (self.setting(old), self.setting(new)) {
            (Some(old), Some(new)) => old.active && old.value.trim_end() == new.value.trim_end(),
            _ => false,
        }
    }

    /// The section's lines without the option, or without these values of it.
    pub fn unset(&self, lines: Vec<String>, values: &[String]) -> Vec<String> {
        let goes = |line: &String| match self.setting(line) {
            Some(found) if found.active => self.exclusive || values.iter().any(|value| value == found.value),
            _ => false,
        };
        lines.into_iter().filter(|line| !goes(line)).collect()
    }
}

fn is_blank_or_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with(['#', ';'])
}
