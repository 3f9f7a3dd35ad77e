//! How we introduce ourselves to a broker: rumqttc's options with our values, and what we subscribe to.

use std::time::Duration;

use bytes::BytesMut;
use rumqttc::v5::MqttOptions;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Connect, LastWill};

use super::lost::Lost;
use super::{Password, Settings, Will};

/// A link that went dead is noticed after twice this.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// For name, TCP and CONNACK together.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the broker keeps messages for us while we are away.
const SESSION_EXPIRY: Duration = Duration::from_secs(24 * 3600);
/// The broker drops what is larger.
pub(super) const LARGEST_PACKET: u32 = 256 * 1024;
/// Messages the broker sends before it waits for our acknowledgements.
pub(super) const RECEIVE_MAXIMUM: u16 = 128;

/// The same for every connection.
#[derive(Clone)]
pub(super) struct Options {
    mqtt: MqttOptions,
    pub filters: Vec<String>,
}

impl Options {
    /// Without a will the broker keeps no session either.
    pub fn new(
        settings: &Settings,
        client_id: &str,
        password: Option<&Password>,
        will: Option<Will>,
        filters: Vec<String>,
    ) -> Self {
        let mut mqtt = MqttOptions::new(client_id, settings.host.trim_matches(['[', ']']), settings.port);
        mqtt.set_keep_alive(KEEP_ALIVE).set_max_packet_size(Some(LARGEST_PACKET)).set_receive_maximum(Some(RECEIVE_MAXIMUM));
        if let Some(Will { topic, payload }) = will {
            mqtt.set_clean_start(false)
                .set_session_expiry_interval(Some(SESSION_EXPIRY.as_secs() as u32))
                .set_last_will(LastWill::new(topic, payload, QoS::AtLeastOnce, true, None));
        }
        let (username, password) = (settings.username.as_deref(), password.map(Password::expose));
        if username.is_some() || password.is_some() {
            mqtt.set_credentials(username.unwrap_or_default(), password.unwrap_or_default());
        }
        Self { mqtt, filters }
    }

    /// A name or an address without brackets, and the port.
    pub fn broker(&self) -> (String, u16) {
        self.mqtt.broker_address()
    }

    /// For people: `host:port`.
    pub fn address(&self) -> String {
        let (host, port) = self.broker();
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    pub fn client_id(&self) -> String {
        self.mqtt.client_id()
    }

    /// Puts the CONNECT with what is to be written.
    pub fn introduce(&self, outgoing: &mut BytesMut) -> Result<(), Lost> {
        let connect = Connect {
            keep_alive: KEEP_ALIVE.as_secs() as u16,
            client_id: self.client_id(),
            clean_start: self.mqtt.clean_start(),
            properties: self.mqtt.connect_properties(),
        };
        connect.write(&self.mqtt.last_will(), &self.mqtt.credentials(), outgoing).map(drop).map_err(Lost::malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_bracketed_once_and_only_for_people() {
        for host in ["::1", "[::1]"] {
            let settings = Settings { host: host.to_owned(), ..Settings::default() };
            let options = Options::new(&settings, "yard-7", None, None, vec![]);
            assert_eq!((options.broker().0, options.address()), ("::1".to_owned(), "[::1]:1883".to_owned()));
        }
    }

    #[test]
    fn a_session_is_kept_where_there_is_a_will() {
        let introduced = |will| {
            let options = Options::new(&Settings::default(), "t", None, will, vec![]);
            let mut bytes = BytesMut::new();
            options.introduce(&mut bytes).map(|()| bytes.to_vec()).unwrap()
        };
        // Protocol 5, keep-alive 10 s, receive maximum 128, packets of 256 KiB; the flags come before the keep-alive.
        let (name, rest) = (b"\0\x04MQTT\x05", [0, 10, 8, 33, 0, 128, 39, 0, 4, 0, 0, 0, 1, b't']);
        assert_eq!(introduced(None), [&[0x10, 22], &name[..], &[0b0000_0010], &rest].concat());
        let with_will = introduced(Some(Will { topic: "w".to_owned(), payload: "x".into() }));
        // Will retained and at QoS 1, no clean start; session expiry 86,400 s.
        assert_eq!(with_will[9..13], [0b0010_1100, 0, 10, 13]);
        assert!(with_will.windows(5).any(|property| property == [17, 0, 1, 0x51, 0x80]));
    }
}
