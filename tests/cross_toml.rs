//! `cross.toml` builds for both ARM targets, with pinned images and libsystemd of the target.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cross {
    target: BTreeMap<String, Target>,
}

/// Those keys of cross's `target.TARGET` that we use; all are in its documentation of configuration files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Target {
    image: String,
    pre_build: Vec<String>,
}

#[test]
fn both_arm_targets_have_a_pinned_image_and_the_libraries_of_the_target() {
    let cross: Cross = toml::from_str(include_str!("../cross.toml")).unwrap();
    let names: Vec<_> = cross.target.keys().map(String::as_str).collect();
    assert_eq!(names, ["aarch64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf"]);
    for (name, target) in &cross.target {
        assert_eq!(target.image, format!("ghcr.io/cross-rs/{name}:0.2.5"));
        let [architecture, packages] = target.pre_build.as_slice() else { panic!("{name}: two commands") };
        assert_eq!(architecture, "dpkg --add-architecture $CROSS_DEB_ARCH");
        assert!(packages.starts_with("apt-get update && apt-get install --assume-yes "), "{packages}");
        for package in ["libsystemd-dev:$CROSS_DEB_ARCH", "pkg-config"] {
            assert!(packages.split(' ').any(|word| word == package), "{name}: {package}");
        }
    }
}
