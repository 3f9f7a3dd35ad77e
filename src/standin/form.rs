//! `multipart/form-data`, as far as a whole body in memory needs it.

/// The parts of a form.
pub(super) struct Form<'a>(Vec<Part<'a>>);

pub(super) struct Part<'a> {
    name: String,
    pub file_name: Option<String>,
    pub content: &'a [u8],
}

impl<'a> Form<'a> {
    /// What is no form has no parts.
    pub fn read(content_type: &str, body: &'a [u8]) -> Self {
        let boundary = content_type.strip_prefix("multipart/form-data").and_then(|rest| rest.split_once("boundary="));
        let Some((_, boundary)) = boundary else { return Self(Vec::new()) };
        let boundary = format!("--{}", boundary.trim_matches('"'));
        let mut parts = Vec::new();
        let mut rest = body;
        let mut begun = false;
        while let Some(at) = find(rest, boundary.as_bytes()) {
            let (part, after) = (rest.get(..at).unwrap_or_default(), rest.get(at + boundary.len()..).unwrap_or_default());
            if begun {
                parts.extend(Part::read(part));
            }
            begun = true;
            rest = after;
        }
        Self(parts)
    }

    pub fn part(&self, name: &str) -> Option<&Part<'a>> {
        self.0.iter().find(|part| part.name == name)
    }
}

impl<'a> Part<'a> {
    /// Of what stands between two boundaries.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(b"\r\n")?.strip_suffix(b"\r\n")?;
        let end = find(bytes, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
        let after = |key: &str| {
            let (_, rest) = head.split_once(key)?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        Some(Self { name: after(" name=\"")?, file_name: after("filename=\""), content: bytes.get(end + 4..)? })
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_breaks_off_lacks_the_part_that_broke_off() {
        const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nn\r\n--b\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n";
        let form = Form::read("multipart/form-data; boundary=b", FORM.as_bytes());
        let file = form.part("file").unwrap();
        assert_eq!((file.file_name.as_deref(), file.content), (Some("a.txt"), b"hello".as_slice()));
        assert_eq!(form.part("name").unwrap().content, b"n");
        let torn = Form::read("multipart/form-data; boundary=b", &FORM.as_bytes()[..FORM.len() - 9]);
        assert!(torn.part("file").is_none() && torn.part("name").is_some());
        assert!(Form::read("application/json", FORM.as_bytes()).part("file").is_none());
    }
}
