//! Files as text that can be put back byte for byte: bytes that are no UTF-8 live in a private range while they are edited.

const PRIVATE: u32 = 0x10_F700;

/// Content as text.
pub fn decode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(PRIVATE + u32::from(*byte))));
    }
    text
}

/// Text as the content it came from.
pub fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(PRIVATE) {
            Some(byte @ 0x80..=0xFF) => bytes.push(byte as u8),
            _ => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_survive() {
        let bytes = b"caf\xe9 \xff\n\xc3\xa9";
        assert_eq!(encode(&decode(bytes)), bytes);
        assert_eq!(decode("é".as_bytes()), "é");
    }
}
