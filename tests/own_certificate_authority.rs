//! TLS towards the vendor: an authority of one's own is trusted because the configuration names its file, and nobody else is
//! trusted because of it; a vendor that speaks nothing newer than TLS 1.1 hears no request.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "common/tls.rs"]
mod tls;
mod vendor;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use gladhand::core::calls::dialing::{NotPlaced, Verdict};
use gladhand::elevenlabs::{ApiKey, CannotBuild, Client, Settings};
use tls::{speak_tls, vendor};
use vendor::{PLACED, answer, order, placed, settings};

fn trusting(url: &str, file: &Path) -> Result<Client, CannotBuild> {
    let settings = Settings { ca_file: Some(file.to_owned()), ..settings(url) };
    Client::new(&settings, ApiKey::new("sk_x").unwrap())
}

fn authority() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/ca.pem")
}

#[tokio::test]
async fn the_authority_of_the_file_is_trusted() {
    let (url, heard) = vendor(|stream| speak_tls(stream, &answer("200 OK", "", PLACED)));
    let verdict = trusting(&url, &authority()).unwrap().place(&order()).await;
    assert_eq!(verdict, placed());
    assert!(heard.join().unwrap().starts_with(b"POST "));
}

/// The certificate is for `localhost` and 127.0.0.1; the authority is right and the name is not.
#[tokio::test]
async fn its_certificate_for_another_name_is_not_taken() {
    let (url, heard) = vendor(|stream| speak_tls(stream, &answer("200 OK", "", PLACED)));
    let other = url.replace("localhost", "[::ffff:127.0.0.1]");
    let verdict = trusting(&other, &authority()).unwrap().place(&order()).await;
    assert!(matches!(&verdict, Verdict::NotPlaced(NotPlaced::Unreachable(why)) if why.contains("certificate")), "{verdict:?}");
    assert_eq!(heard.join().unwrap(), b"");
}

#[test]
fn a_file_without_certificates_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    let why = |file: &Path| trusting("https://localhost", file).unwrap_err().to_string();
    assert!(why(&file).contains("ca.pem: cannot be read"), "{}", why(&file));
    for text in ["", "no certificate\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&file, text).unwrap();
        assert!(why(&file).starts_with("elevenlabs.ca_file "), "{text:?}: {}", why(&file));
    }
}

#[tokio::test]
async fn nothing_older_than_tls_1_2_is_spoken() {
    /// The extension `supported_versions` with 1.3 and 1.2 and nothing else (RFC 8446, 4.2.1).
    const OFFERED: &[u8] = &[0, 0x2b, 0, 5, 4, 3, 4, 3, 3];
    let (url, heard) = vendor(|mut stream| {
        let mut hello = [0; 4096];
        let length = stream.read(&mut hello).unwrap();
        assert!(hello.get(..length).unwrap().windows(OFFERED.len()).any(|window| window == OFFERED), "{hello:?}");
        // A ServerHello of TLS 1.1 that chooses TLS_RSA_WITH_AES_128_CBC_SHA.
        let mut reply = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
        reply.extend([7; 32]);
        reply.extend([0, 0, 0x2f, 0]);
        stream.write_all(&reply).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    let verdict = trusting(&url, &authority()).unwrap().place(&order()).await;
    assert!(matches!(verdict, Verdict::NotPlaced(NotPlaced::Unreachable(_))), "{verdict:?}");
    // An alert of 2 bytes, and no record of data after it.
    let rest = heard.join().unwrap();
    assert!(rest.len() == 7 && rest.first() == Some(&0x15), "{rest:?}");
}
