//! Why a connection ended, or did not come about.

use std::io;

use rumqttc::v5::mqttbytes::Error;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode};

use super::options::{CONNECT_TIMEOUT, Options};

/// See the module.
#[derive(Debug)]
pub(super) enum Lost {
    Io(io::Error),
    Timeout,
    /// It said no.
    Refused(ConnectReturnCode),
    NotMqtt5,
    /// It hung up.
    Closed,
    /// It said so.
    Disconnected(DisconnectReasonCode),
    /// A ping was not answered.
    Silent,
    /// What we wrote was not taken.
    ReadsNothing,
    /// What it sent is not MQTT.
    Malformed(String),
    /// What it sent has no place here.
    Unexpected,
}

impl Lost {
    pub fn malformed(why: Error) -> Self {
        Self::Malformed(why.to_string())
    }

    /// Whether only a change of configuration cures it.
    pub fn is_hopeless(&self) -> bool {
        match self {
            Self::Refused(code) => refusal(*code).is_some(),
            Self::Io(_)
            | Self::Timeout
            | Self::NotMqtt5
            | Self::Closed
            | Self::Disconnected(_)
            | Self::Silent
            | Self::ReadsNothing
            | Self::Malformed(_)
            | Self::Unexpected => false,
        }
    }

    /// What a person can do about it.
    pub fn reason(&self, options: &Options) -> String {
        let address = options.address();
        match self {
            Self::Io(e) => format!("{address}: {e}"),
            Self::Timeout => format!("{address}: no answer within {} s", CONNECT_TIMEOUT.as_secs()),
            Self::Refused(code) => {
                let what = refusal(*code).map_or_else(|| format!("{code:?}"), str::to_owned);
                format!("{address} refused the connection: {what}")
            }
            Self::NotMqtt5 => format!("{address} does not speak MQTT 5"),
            Self::Closed => format!("{address} closed the connection"),
            Self::Disconnected(DisconnectReasonCode::SessionTakenOver) => {
                format!("another client connected with the client id {:?}", options.client_id())
            }
            Self::Disconnected(code) => format!("the broker disconnected us: {code:?}"),
            Self::Silent => "the broker did not answer a ping".to_owned(),
            Self::ReadsNothing => "the broker reads nothing".to_owned(),
            Self::Malformed(why) => format!("the broker sent what is not MQTT: {why}"),
            Self::Unexpected => "the broker sent what has no place here".to_owned(),
        }
    }
}

/// A refusal that stands until somebody changes a configuration.
#[expect(clippy::wildcard_enum_match_arm, reason = "rumqttc's enum; others are the broker's trouble and may pass")]
fn refusal(code: ConnectReturnCode) -> Option<&'static str> {
    match code {
        ConnectReturnCode::BadUserNamePassword => Some("wrong user name or password"),
        ConnectReturnCode::NotAuthorized => Some("not authorized; check mqtt.username and mqtt.password_file"),
        ConnectReturnCode::BadClientId | ConnectReturnCode::ClientIdentifierNotValid => Some("it does not like our client id"),
        ConnectReturnCode::RefusedProtocolVersion | ConnectReturnCode::UnsupportedProtocolVersion => {
            Some("it does not speak MQTT 5")
        }
        ConnectReturnCode::Banned => Some("banned"),
        ConnectReturnCode::BadAuthenticationMethod => Some("it wants another authentication method"),
        ConnectReturnCode::RetainNotSupported => Some("it allows no retained messages, which health needs"),
        ConnectReturnCode::QoSNotSupported => Some("it allows no QoS 1"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Password, Settings};
    use super::*;

    #[test]
    fn a_refused_password_is_named_and_not_shown() {
        let settings = Settings { username: Some("u".to_owned()), ..Settings::default() };
        let options = Options::new(&settings, "yard-7", Password::new("s3cret").as_ref(), None, vec![]);
        let lost = Lost::Refused(ConnectReturnCode::BadUserNamePassword);
        assert!(lost.is_hopeless());
        assert_eq!(lost.reason(&options), "127.0.0.1:1883 refused the connection: wrong user name or password");
    }
}
