//! Chance as Python's `random.Random` has it (the Mersenne Twister), so that a seed gives the same numbers here and in ansible-core:
//! the minute of a cron job must not move when the tool is changed.

use rand::RngCore;
use sha2::{Digest, Sha512};

const LENGTH: usize = 624;
const MIDDLE: usize = 397;

pub(crate) enum Random {
    Seeded(Box<Twister>),
    /// From the operating system.
    Fresh,
}

pub(crate) struct Twister {
    state: [u32; LENGTH],
    index: usize,
}

impl Random {
    pub fn fresh() -> Self {
        Random::Fresh
    }

    /// `Random(text)`: the text and its SHA-512 as one large number.
    pub fn of_text(text: &str) -> Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.extend(Sha512::digest(text.as_bytes()));
        Random::of_bytes(&bytes)
    }

    pub fn of_int(number: i64) -> Self {
        Random::of_bytes(&number.unsigned_abs().to_be_bytes())
    }

    /// A number in big-endian bytes, cut into words of 32 bits, the lowest first.
    fn of_bytes(bytes: &[u8]) -> Self {
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        let words = bytes[start..].rchunks(4).map(|chunk| chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)));
        let mut key: Vec<u32> = words.collect();
        if key.is_empty() {
            key.push(0);
        }
        Random::Seeded(Box::new(Twister::by_array(&key)))
    }

    fn bits(&mut self, count: u32) -> u64 {
        match self {
            Random::Seeded(twister) => twister.bits(count),
            Random::Fresh => rand::rng().next_u64() >> (64 - count),
        }
    }

    /// A number from 0 to below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        let count = 64 - end.leading_zeros();
        loop {
            let number = self.bits(count);
            if number < end {
                return number;
            }
        }
    }
}

impl Twister {
    fn by_number(seed: u32) -> Self {
        let mut state = [0u32; LENGTH];
        state[0] = seed;
        for index in 1..LENGTH {
            let before = state[index - 1];
            state[index] = 1_812_433_253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(index as u32);
        }
        Twister { state, index: LENGTH }
    }

    fn by_array(key: &[u32]) -> Self {
        let mut twister = Twister::by_number(19_650_218);
        let state = &mut twister.state;
        let (mut at, mut part) = (1, 0);
        for _ in 0..LENGTH.max(key.len()) {
            let before = state[at - 1];
            state[at] = (state[at] ^ (before ^ (before >> 30)).wrapping_mul(1_664_525)).wrapping_add(key[part]).wrapping_add(part as u32);
            at += 1;
            part = (part + 1) % key.len();
            if at >= LENGTH {
                state[0] = state[LENGTH - 1];
                at = 1;
            }
        }
        for _ in 0..LENGTH - 1 {
            let before = state[at - 1];
            state[at] = (state[at] ^ (before ^ (before >> 30)).wrapping_mul(1_566_083_941)).wrapping_sub(at as u32);
            at += 1;
            if at >= LENGTH {
                state[0] = state[LENGTH - 1];
                at = 1;
            }
        }
        state[0] = 0x8000_0000;
        twister
    }

    fn next(&mut self) -> u32 {
        if self.index >= LENGTH {
            self.twist();
        }
        let mut word = self.state[self.index];
        self.index += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn twist(&mut self) {
        for index in 0..LENGTH {
            let mixed = (self.state[index] & 0x8000_0000) | (self.state[(index + 1) % LENGTH] & 0x7fff_ffff);
            let odd = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[index] = self.state[(index + MIDDLE) % LENGTH] ^ (mixed >> 1) ^ odd;
        }
        self.index = 0;
    }

    /// `getrandbits`: whole words, the lowest first; the last one gives its upper bits.
    fn bits(&mut self, count: u32) -> u64 {
        let (mut number, mut shift, mut left) = (0u64, 0, count);
        while left > 0 {
            let word = self.next();
            let taken = left.min(32);
            number |= u64::from(word >> (32 - taken)) << shift;
            shift += taken;
            left -= taken;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are Python 3's: `random.Random(seed).randrange(60)`.
    #[test]
    fn a_seed_gives_pythons_numbers() {
        assert_eq!(Random::of_text("web1.example.com").below(60), 31);
        assert_eq!(Random::of_int(42).below(1000), 654);
    }

    #[test]
    fn chance_stays_below_its_end() {
        let mut random = Random::fresh();
        assert!((0..1000).all(|_| random.below(7) < 7));
    }
}
