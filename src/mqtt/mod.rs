//! The broker. The only folder that knows rumqttc.
