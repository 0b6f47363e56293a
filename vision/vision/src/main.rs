//! The vision process.
fn main() {
    println!("{}", opencv::core::get_build_information().unwrap_or_default());
}
