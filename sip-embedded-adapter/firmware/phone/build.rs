//! Links the phone with the sections of its log.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
}
