//! Sealing templates and pictures: which key, bound to what, and how a new key comes in.

use domain::ids::PersonId;
use kit::auth::OperatorId;
use kit::auth::second::SecondError;
use kit::{Keys, Kit};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{Context, SHA256};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use crate::error::PeopleError;
use crate::person::row_id;
use crate::scrub;

kit::statements! {
    TEMPLATES = "SELECT id, person, sealed FROM face_template WHERE key_id = $1 ORDER BY id";
    RESEAL_TEMPLATE = "UPDATE face_template SET sealed = $2, key_id = $3 WHERE id = $1";
    PICTURES = "SELECT person, sealed FROM profile_picture WHERE key_id = $1 ORDER BY person";
    RESEAL_PICTURE = "UPDATE profile_picture SET sealed = $2, key_id = $3 WHERE person = $1";
}

/// What a sealed thing is, and so which key seals it and what it is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sealed {
    /// A face template, bound to its person and itself.
    Template {
        /// Whose.
        person: PersonId,
        /// Which.
        template: u64,
    },
    /// A profile picture, bound to its person.
    Picture {
        /// Whose.
        person: PersonId,
    },
}

impl Sealed {
    /// Seals bytes for storage.
    pub(crate) fn seal(self, keys: &Keys, plain: &[u8]) -> Vec<u8> {
        let bound_to = self.bound_to(&self.key_id(keys));
        match self {
            Self::Template { .. } => keys.seal(&bound_to, plain),
            Self::Picture { .. } => {
                let mut nonce = [0; NONCE_LEN];
                SystemRandom::new().fill(&mut nonce).expect("the system's random source works");
                let mut sealed = plain.to_vec();
                picture_key(keys)
                    .seal_in_place_append_tag(
                        Nonce::assume_unique_for_key(nonce),
                        Aad::from(&bound_to),
                        &mut sealed,
                    )
                    .expect("shorter than 64 GiB");
                [&nonce[..], &sealed].concat()
            }
        }
    }

    /// Opens what was sealed under these keys.
    pub(crate) fn open(self, keys: &Keys, sealed: &[u8]) -> Result<Vec<u8>, PeopleError> {
        let bound_to = self.bound_to(&self.key_id(keys));
        match self {
            Self::Template { .. } => keys.unseal(&bound_to, sealed).map_err(|_| PeopleError::Sealed),
            Self::Picture { .. } => {
                let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(PeopleError::Sealed)?;
                let mut bytes = sealed.to_vec();
                let plain = picture_key(keys)
                    .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(&bound_to), &mut bytes)
                    .map_err(|_| PeopleError::Sealed)?
                    .len();
                bytes.truncate(plain);
                Ok(bytes)
            }
        }
    }

    /// Names the key without showing it: 16 hexadecimal digits.
    pub(crate) fn key_id(self, keys: &Keys) -> String {
        let mut context = Context::new(&SHA256);
        context.update(match self {
            Self::Template { .. } => b"gatehouse template key\0",
            Self::Picture { .. } => b"gatehouse picture key \0",
        });
        context.update(keys.template());
        context.finish().as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A sealed row moved to another person, template or key does not open.
    fn bound_to(self, key_id: &str) -> Vec<u8> {
        match self {
            Self::Template { person, template } => {
                [b"template\0", &person.0.to_be_bytes()[..], &template.to_be_bytes(), key_id.as_bytes()]
                    .concat()
            }
            Self::Picture { person } => {
                [b"picture\0", &person.0.to_be_bytes()[..], key_id.as_bytes()].concat()
            }
        }
    }
}

/// Pictures have a key of their own, derived from the template key.
fn picture_key(keys: &Keys) -> LessSafeKey {
    let mut key = [0; 32];
    Salt::new(HKDF_SHA256, b"gatehouse")
        .extract(keys.template())
        .expand(&[b"profile picture"], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .expect("32 bytes is what HKDF-SHA256 gives");
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("32 bytes"))
}

/// Seals everything again that is still sealed under retired keys: run once after the template key was exchanged.
/// Returns how many templates and pictures were sealed again.
///
/// # Errors
/// When something does not open with the retired keys; nothing was changed then.
pub async fn rotate(kit: &Kit, by: Option<OperatorId>, retired: &Keys) -> Result<(u64, u64), PeopleError> {
    let any = Sealed::Template { person: PersonId(0), template: 0 };
    let picture = Sealed::Picture { person: PersonId(0) };
    let mut tx = kit.begin().await?;
    let templates: Vec<(i64, i64, Vec<u8>)> =
        sqlx::query_as(TEMPLATES).bind(any.key_id(retired)).fetch_all(&mut *tx).await?;
    for (id, person, sealed) in &templates {
        let what =
            Sealed::Template { person: PersonId(person.cast_unsigned()), template: id.cast_unsigned() };
        let plain = what.open(retired, sealed)?;
        let again = what.seal(kit.keys(), &plain);
        sqlx::query(RESEAL_TEMPLATE)
            .bind(id)
            .bind(again)
            .bind(any.key_id(kit.keys()))
            .execute(&mut *tx)
            .await?;
    }
    let pictures: Vec<(i64, Vec<u8>)> =
        sqlx::query_as(PICTURES).bind(picture.key_id(retired)).fetch_all(&mut *tx).await?;
    for (person, sealed) in &pictures {
        let what = Sealed::Picture { person: PersonId(person.cast_unsigned()) };
        let plain = what.open(retired, sealed)?;
        let again = what.seal(kit.keys(), &plain);
        let person = row_id(person.cast_unsigned());
        sqlx::query(RESEAL_PICTURE)
            .bind(person)
            .bind(again)
            .bind(picture.key_id(kit.keys()))
            .execute(&mut *tx)
            .await?;
    }
    kit::auth::second::reseal(&mut tx, retired).await.map_err(|error| match error {
        SecondError::Database(error) => PeopleError::Database(error),
        SecondError::Exists
        | SecondError::Absent
        | SecondError::WrongCode
        | SecondError::Operator(_)
        | SecondError::Sealed(_) => PeopleError::Sealed,
    })?;
    let counts = (templates.len() as u64, pictures.len() as u64);
    let body = json!({ "templates": counts.0, "pictures": counts.1, "by": by.map(|by| by.0) });
    tx.record("keys.rotated", &body).await?;
    tx.commit().await?;
    scrub::after(kit).await;
    Ok(counts)
}
