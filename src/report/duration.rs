//! Lengths of time as people say them.

/// `0.4 s`, `11 s`, `1 min 41 s`, `2 h 03 min`.
pub fn text(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, milliseconds % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_has_its_words() {
        let shown: Vec<String> = [0, 412, 9_999, 10_000, 101_000, 7_380_000].into_iter().map(text).collect();
        assert_eq!(shown, ["0.0 s", "0.4 s", "9.9 s", "10 s", "1 min 41 s", "2 h 03 min"]);
    }
}
