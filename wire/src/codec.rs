//! Encoding of fixed-size values: one writer, one reader, one error.

use thiserror::Error;

/// Why bytes are not the value they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The input is not as long as the value.
    #[error("length is {found} bytes instead of {expected}")]
    Length {
        /// Bytes that the value has.
        expected: usize,
        /// Bytes that were given.
        found: usize,
    },
    /// A version that this program does not speak.
    #[error("version {0} is not spoken here")]
    Version(u8),
    /// A kind that is unknown or out of place.
    #[error("kind {0} is unknown here")]
    Kind(u8),
    /// A field holds a value that encoding never produces.
    #[error("field `{0}` is out of range")]
    Field(&'static str),
}

/// A value of one fixed size.
///
/// Invariant: `decode(encode(x)) == x`, and bytes that decode re-encode to themselves.
pub trait Wire: Sized {
    /// Size in bytes.
    const SIZE: usize;

    /// Appends the value's bytes, exactly [`Self::SIZE`] of them.
    fn write(&self, out: &mut Writer<'_>);

    /// Takes the value off the input.
    ///
    /// # Errors
    /// [`DecodeError`] if the bytes are not what [`Self::write`] writes.
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Returns the value's bytes.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; Self::SIZE];
        self.encode_into(&mut bytes);
        bytes
    }

    /// Fills `out`, which is [`Self::SIZE`] bytes long.
    ///
    /// # Panics
    /// If `out` has another length, which is a bug of the caller.
    fn encode_into(&self, out: &mut [u8]) {
        assert_eq!(out.len(), Self::SIZE, "caller passes a buffer of the value's size");
        let mut writer = Writer::new(out);
        self.write(&mut writer);
        writer.finish();
    }

    /// Reads the value from exactly its bytes.
    ///
    /// # Errors
    /// [`DecodeError`] for another length or bytes that no value encodes to.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() != Self::SIZE {
            return Err(DecodeError::Length { expected: Self::SIZE, found: bytes.len() });
        }
        let mut reader = Reader::new(bytes);
        let value = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

/// Fills a buffer from front to back.
pub struct Writer<'a> {
    rest: &'a mut [u8],
}

impl<'a> Writer<'a> {
    /// Starts at the front of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { rest: buffer }
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let rest = std::mem::take(&mut self.rest);
        let (front, back) = rest.split_at_mut(bytes.len());
        front.copy_from_slice(bytes);
        self.rest = back;
    }

    /// Writes one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    /// Writes one byte, 1 for yes and 0 for no.
    pub fn bool(&mut self, value: bool) {
        self.u8(value.into());
    }

    /// Writes two bytes.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    /// Writes four bytes.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Writes eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Writes `count` zeros.
    pub fn zeros(&mut self, count: usize) {
        let rest = std::mem::take(&mut self.rest);
        let (front, back) = rest.split_at_mut(count);
        front.fill(0);
        self.rest = back;
    }

    /// Fills what is left with zeros.
    pub fn zeros_to_end(&mut self) {
        self.zeros(self.rest.len());
    }

    /// Asserts that the buffer is full.
    pub fn finish(self) {
        assert!(self.rest.is_empty(), "every byte of a value is written");
    }
}

/// Takes values off a buffer from front to back.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes `count` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Length`] if fewer are left.
    pub fn slice(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let too_short = DecodeError::Length { expected: count, found: self.rest.len() };
        let (front, back) = self.rest.split_at_checked(count).ok_or(too_short)?;
        self.rest = back;
        Ok(front)
    }

    /// Takes an array.
    ///
    /// # Errors
    /// As [`Self::slice`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(N)?);
        Ok(array)
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// As [`Self::slice`].
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    /// Takes one byte, which must be 0 or 1.
    ///
    /// # Errors
    /// As [`Self::slice`], and [`DecodeError::Field`] for another byte.
    pub fn bool(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Field(field)),
        }
    }

    /// Takes two bytes.
    ///
    /// # Errors
    /// As [`Self::slice`].
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Takes four bytes.
    ///
    /// # Errors
    /// As [`Self::slice`].
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Takes eight bytes.
    ///
    /// # Errors
    /// As [`Self::slice`].
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Takes `count` bytes, which must be zero.
    ///
    /// # Errors
    /// As [`Self::slice`], and [`DecodeError::Field`] if one is not zero.
    pub fn zeros(&mut self, count: usize, field: &'static str) -> Result<(), DecodeError> {
        let zero = self.slice(count)?.iter().all(|&byte| byte == 0);
        if zero { Ok(()) } else { Err(DecodeError::Field(field)) }
    }

    /// Takes what is left, which must be zero.
    ///
    /// # Errors
    /// [`DecodeError::Field`] if a byte is not zero.
    pub fn zeros_to_end(&mut self, field: &'static str) -> Result<(), DecodeError> {
        self.zeros(self.rest.len(), field)
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`DecodeError::Length`] if something is.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            found => Err(DecodeError::Length { expected: 0, found }),
        }
    }
}

/// Declares a newtype over a byte array that is written and read as it is.
macro_rules! wire_bytes {
    ($($(#[$doc:meta])* $name:ident($size:expr);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $size]);

        impl $crate::codec::Wire for $name {
            const SIZE: usize = $size;

            fn write(&self, out: &mut $crate::codec::Writer<'_>) {
                out.bytes(&self.0);
            }

            fn read(
                input: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                Ok(Self(input.array()?))
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    )*};
}
pub(crate) use wire_bytes;
