//! Literal SQL with a register, so that a test can prepare every statement on both engines.

/// Declares statements as constants, and `STATEMENTS` with all of them by name.
///
/// ```
/// kit::statements! {
///     /// The oldest unpaid bill.
///     OLDEST = "SELECT id FROM bill WHERE paid = 0 ORDER BY id LIMIT 1";
/// }
/// assert_eq!(STATEMENTS[0].0, "OLDEST");
/// # assert!(OLDEST.starts_with("SELECT"));
/// ```
#[macro_export]
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* const $name: &str = $sql;)+
        /// Every statement of this module, for the test that prepares them on both engines.
        pub(crate) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
        // Used even where no test is built.
        const _: &[(&str, &str)] = STATEMENTS;
    };
}
