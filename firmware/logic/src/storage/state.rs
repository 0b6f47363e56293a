//! The small things: a map of numbered values.

use embedded_storage_async::nor_flash::NorFlash;
use endpoints::vendor::BoardSettings;
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};

use super::Storage;

pub(super) const BOOT: u8 = 1;
pub(super) const EPOCH: u8 = 2;
pub(super) const ACKED: u8 = 3;
pub(super) const KEY: u8 = 4;
pub(super) const SETTINGS: u8 = 5;
pub(super) const LIST: u8 = 6;
pub(super) const POOL: u8 = 7;
pub(super) const IMAGE_HEAD: u8 = 8;
pub(super) const IMAGE_AT: u8 = 9;

/// Room for the longest value and its key.
const BUFFER: usize = 192;

impl<F: NorFlash> Storage<F> {
    /// Keeps a value. None if the flash failed.
    pub(super) async fn store(&mut self, key: u8, value: &[u8]) -> Option<()> {
        let range = self.layout.state.clone();
        let mut map =
            MapStorage::<u8, _, _>::new(self.log.flash(), MapConfig::new(range), Cache::new_uncached());
        let mut buffer = [0; BUFFER];
        map.store_item(&mut buffer, &key, &value).await.ok()
    }

    /// A value of exactly this length; `Some(None)` if there is none. What cannot be mended is begun anew.
    pub(super) async fn bytes<const N: usize>(&mut self, key: u8) -> Option<Option<[u8; N]>> {
        let mut buffer = [0; BUFFER];
        let found = self.value(key, &mut buffer).await?;
        Some(found.and_then(|value| value.try_into().ok()))
    }

    pub(super) async fn number(&mut self, key: u8) -> Option<Option<u32>> {
        Some(self.bytes(key).await?.map(u32::from_le_bytes))
    }

    pub(super) async fn settings(&mut self) -> Option<Option<BoardSettings>> {
        let mut buffer = [0; BUFFER];
        let found = self.value(SETTINGS, &mut buffer).await?;
        Some(found.and_then(|value| BoardSettings::decode(value).ok()))
    }

    pub(super) async fn save_settings(&mut self, settings: &BoardSettings) -> Option<()> {
        let mut encoded = [0; BoardSettings::MAX_LEN];
        let used = settings.encode(&mut encoded).expect("MAX_LEN holds every encoding");
        self.store(SETTINGS, &encoded[..used]).await
    }

    async fn value<'b>(&mut self, key: u8, buffer: &'b mut [u8; BUFFER]) -> Option<Option<&'b [u8]>> {
        let range = self.layout.state.clone();
        let mut map =
            MapStorage::<u8, _, _>::new(self.log.flash(), MapConfig::new(range), Cache::new_uncached());
        match map.fetch_item::<&[u8]>(buffer, &key).await {
            Ok(found) => Some(found),
            Err(sequential_storage::Error::Corrupted { .. }) => {
                map.erase_all().await.ok()?;
                Some(None)
            }
            Err(_) => None,
        }
    }
}
