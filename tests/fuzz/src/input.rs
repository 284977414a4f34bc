//! Takes the bytes of the fuzzer apart.

/// What is left of them; past their end everything is zero.
pub(crate) struct Input<'b>(&'b [u8]);

impl<'b> Input<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes up to so many bytes.
    pub(crate) fn take(&mut self, bytes: usize) -> &'b [u8] {
        let (front, rest) = self.0.split_at(bytes.min(self.0.len()));
        self.0 = rest;
        front
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let front = self.take(N);
        array[..front.len()].copy_from_slice(front);
        array
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    /// Takes up to 255 bytes, as many as the first one says.
    pub(crate) fn counted(&mut self) -> &'b [u8] {
        let bytes = self.u8();
        self.take(bytes.into())
    }
}

/// Fills up with zeros, so that the fuzzer need not find out the length of a frame first; longer bytes stay as they are.
pub(crate) fn padded(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(size.max(bytes.len()), 0);
    padded
}
