//! `body_format: form-multipart`: fields and files as one body.

use crate::base::Value;
use crate::system::{Failure, Result, System};

/// The content type with its boundary, and the body.
pub fn multipart(fields: &Value, sys: &System) -> Result<(String, Vec<u8>)> {
    let Value::Map(fields) = fields else {
        return Err(Failure::new(format!("Mapping is required, cannot be type {}", fields.type_name())).at("body"));
    };
    let boundary = format!("==============={}==", uuid::Uuid::new_v4().simple());
    let mut body = Vec::new();
    for (name, value) in fields.iter() {
        let part = Part::read(&name.to_string(), value, sys)?;
        body.extend(format!("--{boundary}\r\n{}\r\n", part.head).into_bytes());
        body.extend(part.content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").into_bytes());
    Ok((format!("multipart/form-data; boundary=\"{boundary}\""), body))
}

struct Part {
    head: String,
    content: Vec<u8>,
}

impl Part {
    fn read(name: &str, value: &Value, sys: &System) -> Result<Part> {
        let failed = |message: String| Failure::new(format!("failed to parse body as form-multipart: {message}")).at("body");
        let quoted = |text: &str| text.replace(['\r', '\n'], " ").replace('\\', "\\\\").replace('"', "\\\"");
        let disposition = format!("Content-Disposition: form-data; name=\"{}\"", quoted(name));
        let text = |key: &str| value.get(key).filter(|value| !value.is_null()).map(Value::to_text);
        match value {
            Value::Map(_) => {
                let (filename, given) = (text("filename"), text("content"));
                let content = match (&given, &filename) {
                    (Some(content), _) => content.clone().into_bytes(),
                    (None, Some(filename)) => sys.query_content(filename.as_ref())?.to_vec(),
                    (None, None) => return Err(failed("at least one of filename or content must be provided".into())),
                };
                let kind = text("mime_type").unwrap_or_else(|| filename.as_deref().map_or("text/plain", mime_of).to_owned());
                let file = filename.map(|path| path.rsplit('/').next().unwrap_or_default().to_owned());
                let file = file.map(|file| format!("; filename=\"{}\"", quoted(&file))).unwrap_or_default();
                Ok(Part { head: format!("Content-Type: {}\r\n{disposition}{file}\r\n", quoted(&kind)), content })
            }
            Value::List(_) => Err(failed(format!("value must be a string, or mapping, cannot be type {}", value.type_name()))),
            other => Ok(Part { head: format!("Content-Type: text/plain\r\n{disposition}\r\n"), content: other.to_text().into_bytes() }),
        }
    }
}

fn mime_of(filename: &str) -> &'static str {
    match filename.rsplit('.').next().unwrap_or_default() {
        "txt" | "conf" | "log" => "text/plain",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "csv" => "text/csv",
        "xml" => "text/xml",
        "json" => "application/json",
        "js" => "text/javascript",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "tar" => "application/x-tar",
        "gz" | "tgz" => "application/gzip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Overlay;

    #[test]
    fn fields_and_files_become_parts() {
        let sys = System::dry(Overlay::empty().with_file("/srv/a.json", "{}"));
        let fields = Value::map([("plain", Value::from("text")), ("file", Value::map([("filename", "/srv/a.json")]))]);
        let (kind, body) = multipart(&fields, &sys).expect("is a form");
        let body = String::from_utf8(body).expect("is text");
        assert!(kind.starts_with("multipart/form-data; boundary="), "{kind}");
        assert!(body.contains(
            "Content-Type: application/json\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.json\"\r\n\r\n{}\r\n"
        ));
        assert!(body.contains("name=\"plain\"\r\n\r\ntext\r\n"));
        assert!(multipart(&"x".into(), &sys).is_err());
    }
}
