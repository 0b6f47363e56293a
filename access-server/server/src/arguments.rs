//! What an administrator may say on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The access server of a Gatehouse site.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Sets up a new site: keys, certificates, configuration, database, first administrator.
    Init {
        /// The directory to make it in.
        #[arg(long)]
        directory: PathBuf,
        /// A name or address of this machine, for its certificates (again for each).
        #[arg(long = "host", default_values_t = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()])]
        hosts: Vec<String>,
        /// `sqlite:FILE` or `postgres://user@host/name`.
        #[arg(long, default_value = "sqlite:site.db")]
        database: String,
        /// Where browsers are listened for.
        #[arg(long, default_value = "[::]:8443")]
        listen: SocketAddr,
        /// The message broker.
        #[arg(long, default_value = "localhost:8883")]
        broker: String,
        /// The service that turns photographs into templates, as `vision-1@127.0.0.1:9443`.
        #[arg(long)]
        embed: Option<String>,
    },
    /// Serves until told to stop.
    Serve {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Walks the whole journal and names the first thing that is not as it was written (exit code 2), and says what the
    /// checkpoint log lacks (exit code 3 when that is its beginning).
    Verify {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Imports a site's people, doors and rules from a file, or people from a list: all of it, or nothing.
    Import {
        /// The file: a description (.toml), or a list of people (.csv or .xlsx).
        file: PathBuf,
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// Say what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
        /// The folder that the photographs are in; the file's own if not given.
        #[arg(long, conflicts_with = "without_photographs")]
        photographs: Option<PathBuf>,
        /// Import people without the photographs that the file names.
        #[arg(long)]
        without_photographs: bool,
    },
    /// Prints the journal's records, one line of JSON each.
    Journal {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// Only records after this place.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Tries everything that the configuration names, without changing anything, and says what is wrong (exit code 1).
    Check {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Saves the site to one file while the server runs: tables, journal, configuration, certificates.
    Backup {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// The file; or a folder, in which it is named by the time.
        #[arg(long)]
        to: PathBuf,
        /// Save the secret keys too, sealed under a passphrase.
        #[arg(long, requires = "passphrase_file")]
        keys: bool,
        /// The file whose first line is the passphrase; `-` is the standard input.
        #[arg(long)]
        passphrase_file: Option<PathBuf>,
    },
    /// Makes a site out of a backup, in an empty directory and an empty database, and walks its journal (exit code 2 when
    /// that is not intact).
    Restore {
        /// The backup.
        #[arg(long)]
        from: PathBuf,
        /// The directory to make it in.
        #[arg(long)]
        directory: PathBuf,
        /// `sqlite:FILE` or `postgres://user@host/name`: an empty one, of either engine.
        #[arg(long, default_value = "sqlite:site.db")]
        database: String,
        /// The file whose first line is the passphrase of the keys; `-` is the standard input.
        #[arg(long)]
        passphrase_file: Option<PathBuf>,
        /// Leave out the secret keys that the backup holds: they come from elsewhere.
        #[arg(long, conflicts_with = "passphrase_file")]
        without_keys: bool,
    },
    /// Brings the database's schema up to date and stops.
    Migrate {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Certificates.
    #[command(subcommand)]
    Pki(Pki),
    /// Operators.
    #[command(subcommand)]
    Operator(Operators),
    /// Devices: their one-time codes and certificates.
    #[command(subcommand)]
    Device(Devices),
}

#[derive(Subcommand)]
pub(crate) enum Pki {
    /// Issues a certificate and its key: NAME.pem and NAME.key.
    Issue {
        /// `controller-<id>`, `vision-<id>`, `broker`, `server` or `web`.
        name: String,
        /// The directory with the authority, as `init` made it.
        #[arg(long)]
        directory: PathBuf,
        /// Where to write; the same directory if not given.
        #[arg(long)]
        out: Option<PathBuf>,
        /// A name or address it is good for besides its own name (again for each).
        #[arg(long = "host")]
        hosts: Vec<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum Operators {
    /// Adds an operator and prints a first password, once.
    Add {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// The login name.
        name: String,
        /// `viewer`, `guard`, `operator`, `manager` or `administrator`.
        #[arg(long, default_value = "viewer")]
        role: String,
    },
    /// Gives an operator a new first password and prints it, once; takes their second factor away.
    Reset {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// The login name.
        name: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum Devices {
    /// Invites a device and prints its one-time code, once.
    Invite {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// `controller-<id>`, which the site must have, or `vision-<id>`.
        name: String,
        /// How long the code is good.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=168))]
        hours: u32,
    },
    /// Prints the invitations that are open, with their numbers.
    Codes {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Withdraws an invitation.
    Withdraw {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// Its number.
        number: i64,
    },
    /// Prints the certificates that are known, with their serial numbers.
    Certificates {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Revokes a certificate. A running server tells broker and devices.
    Revoke {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// Its serial number, in hexadecimal.
        serial: String,
        /// Why, for the journal.
        #[arg(long)]
        reason: String,
    },
}
