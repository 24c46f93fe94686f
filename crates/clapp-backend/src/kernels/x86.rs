//! The vector units of x86-64 processors.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::line::Line;
use super::shape::LANES;
use super::simd::{Kernel, Registers, Simd};

/// Proof that the processor has AVX-512F.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512(());

impl Avx512 {
    /// The proof, if the processor has it.
    pub fn detect() -> Option<Self> {
        std::arch::is_x86_feature_detected!("avx512f").then_some(Self(()))
    }
}

#[target_feature(enable = "avx512f")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512(()))
}

impl Simd for Avx512 {
    type Vector = __m512;
    type Mask = __mmask16;
    const REGISTERS: Registers = Registers::ThirtyTwoWide;

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { run_avx512(kernel) }
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::Vector {
        // SAFETY: AVX-512F as above; `from` is 64 readable bytes and the load needs no alignment.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; LANES], value: Self::Vector) {
        // SAFETY: AVX-512F as above; `to` is 64 writable bytes and the store needs no alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), value) }
    }
    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn sqrt(self, a: Self::Vector) -> Self::Vector {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    fn greater_or_nan(self, a: Self::Vector, b: Self::Vector) -> Self::Mask {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a) }
    }
    #[inline(always)]
    fn not_positive(self, a: Self::Vector) -> Self::Mask {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, _mm512_setzero_ps()) }
    }
    #[inline(always)]
    fn codes_equal(self, codes: &[u8; LANES], code: u8) -> Self::Mask {
        // SAFETY: AVX-512F as above; `codes` is 16 readable bytes and the load needs no alignment.
        unsafe {
            let wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.as_ptr().cast()));
            _mm512_cmpeq_epi32_mask(wide, _mm512_set1_epi32(i32::from(code)))
        }
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { _mm512_mask_mov_ps(no, mask, yes) }
    }
    #[inline(always)]
    fn store_codes(self, to: &mut [u8; LANES], codes: Self::Vector) {
        // SAFETY: AVX-512F as above; `to` is 16 writable bytes and the store needs no alignment.
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(codes));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        }
    }
    #[inline(always)]
    unsafe fn stream(self, to: &mut Line, value: Self::Vector) {
        // SAFETY: AVX-512F as above; a `Line` is 64 writable bytes, aligned to 64. The caller fences.
        unsafe { _mm512_stream_ps(to.0.as_mut_ptr(), value) }
    }
    #[inline(always)]
    fn fence(self) {
        // SAFETY: part of every x86-64 processor.
        unsafe { _mm_sfence() }
    }
    #[inline(always)]
    fn transpose(self, from: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
        // SAFETY: `self` exists only if the processor has AVX-512F.
        unsafe { transpose_avx512(self, from, to) }
    }
    #[inline(always)]
    fn prefetch(self, line: &[f32; LANES]) {
        prefetch::<_MM_HINT_T0>(line);
    }
    #[inline(always)]
    fn prefetch_write(self, line: &[f32; LANES]) {
        prefetch::<_MM_HINT_ET0>(line);
    }
}

/// Transposes pairs, then fours of lanes, then the sixteen blocks of four.
#[target_feature(enable = "avx512f")]
fn transpose_avx512(simd: Avx512, from: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
    // Block l of `fours[4g + c]`: column 4l + c of rows 4g ..
    let mut fours = [_mm512_setzero_ps(); LANES];
    for (rows, fours) in from.as_chunks::<4>().0.iter().zip(fours.as_chunks_mut::<4>().0) {
        let [a, b] = [simd.load(rows[0]), simd.load(rows[1])];
        let [c, d] = [simd.load(rows[2]), simd.load(rows[3])];
        let low = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
        let high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
        let low_next = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
        let high_next = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
        fours[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, low_next));
        fours[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, low_next));
        fours[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, high_next));
        fours[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, high_next));
    }
    for c in 0..4 {
        let [a, b] = [fours[c], fours[4 + c]];
        let [d, e] = [fours[8 + c], fours[12 + c]];
        let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b);
        let even_next = _mm512_shuffle_f32x4::<0b10_00_10_00>(d, e);
        let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b);
        let odd_next = _mm512_shuffle_f32x4::<0b11_01_11_01>(d, e);
        simd.store(&mut to[c], _mm512_shuffle_f32x4::<0b10_00_10_00>(even, even_next));
        simd.store(&mut to[8 + c], _mm512_shuffle_f32x4::<0b11_01_11_01>(even, even_next));
        simd.store(&mut to[4 + c], _mm512_shuffle_f32x4::<0b10_00_10_00>(odd, odd_next));
        simd.store(&mut to[12 + c], _mm512_shuffle_f32x4::<0b11_01_11_01>(odd, odd_next));
    }
}

#[inline(always)]
fn prefetch<const HINT: i32>(line: &[f32; LANES]) {
    // SAFETY: a hint that never faults, and part of every x86-64 processor.
    unsafe { _mm_prefetch::<HINT>(line.as_ptr().cast()) }
}

/// Proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    /// The proof, if the processor has both.
    pub fn detect() -> Option<Self> {
        let both = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma");
        both.then_some(Self(()))
    }
}

#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// One operation on both halves.
macro_rules! halves {
    ($operation:ident, $($argument:expr),+) => {
        // SAFETY: `self` exists only if the processor has AVX2 and FMA.
        unsafe { [$operation($($argument[0]),+), $operation($($argument[1]),+)] }
    };
}

impl Simd for Avx2 {
    type Vector = [__m256; 2];
    type Mask = [__m256; 2];
    const REGISTERS: Registers = Registers::SixteenMiddle;

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` exists only if the processor has AVX2 and FMA.
        unsafe { run_avx2(kernel) }
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        // SAFETY: `self` exists only if the processor has AVX2 and FMA.
        unsafe { [_mm256_set1_ps(value); 2] }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::Vector {
        // SAFETY: AVX2 as above; both halves lie in `from` and the loads need no alignment.
        unsafe { [_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))] }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; LANES], value: Self::Vector) {
        // SAFETY: AVX2 as above; both halves lie in `to` and the stores need no alignment.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), value[0]);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), value[1]);
        }
    }
    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        halves!(_mm256_add_ps, a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        halves!(_mm256_sub_ps, a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        halves!(_mm256_mul_ps, a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        halves!(_mm256_div_ps, a, b)
    }
    #[inline(always)]
    fn fma(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        halves!(_mm256_fmadd_ps, a, b, c)
    }
    #[inline(always)]
    fn sqrt(self, a: Self::Vector) -> Self::Vector {
        halves!(_mm256_sqrt_ps, a)
    }
    #[inline(always)]
    fn greater_or_nan(self, a: Self::Vector, b: Self::Vector) -> Self::Mask {
        // SAFETY: `self` exists only if the processor has AVX2 and FMA.
        unsafe {
            let low = _mm256_cmp_ps::<_CMP_GT_OQ>(a[0], b[0]);
            let high = _mm256_cmp_ps::<_CMP_GT_OQ>(a[1], b[1]);
            [
                _mm256_or_ps(low, _mm256_cmp_ps::<_CMP_UNORD_Q>(a[0], a[0])),
                _mm256_or_ps(high, _mm256_cmp_ps::<_CMP_UNORD_Q>(a[1], a[1])),
            ]
        }
    }
    #[inline(always)]
    fn not_positive(self, a: Self::Vector) -> Self::Mask {
        let zero = self.zero();
        // SAFETY: `self` exists only if the processor has AVX2 and FMA.
        unsafe {
            let low = _mm256_cmp_ps::<_CMP_LE_OQ>(a[0], zero[0]);
            [low, _mm256_cmp_ps::<_CMP_LE_OQ>(a[1], zero[1])]
        }
    }
    #[inline(always)]
    fn codes_equal(self, codes: &[u8; LANES], code: u8) -> Self::Mask {
        // SAFETY: AVX2 as above; `codes` is 16 readable bytes and the load needs no alignment.
        unsafe {
            let bytes = _mm_loadu_si128(codes.as_ptr().cast());
            let equal = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(code as i8));
            let high = _mm256_cvtepi8_epi32(_mm_srli_si128::<8>(equal));
            [_mm256_castsi256_ps(_mm256_cvtepi8_epi32(equal)), _mm256_castsi256_ps(high)]
        }
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector {
        halves!(_mm256_blendv_ps, no, yes, mask)
    }
    #[inline(always)]
    fn store_codes(self, to: &mut [u8; LANES], codes: Self::Vector) {
        // SAFETY: AVX2 as above; `to` is 16 writable bytes and the store needs no alignment.
        unsafe {
            let (low, high) = (_mm256_cvtps_epi32(codes[0]), _mm256_cvtps_epi32(codes[1]));
            let mixed = _mm256_packus_epi32(low, high); // low 0–3, high 0–3, low 4–7, high 4–7
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(mixed);
            let upper = _mm256_extracti128_si256::<1>(words);
            let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), upper);
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        }
    }
    #[inline(always)]
    fn prefetch(self, line: &[f32; LANES]) {
        prefetch::<_MM_HINT_T0>(line);
    }
    #[inline(always)]
    fn prefetch_write(self, line: &[f32; LANES]) {
        prefetch::<_MM_HINT_ET0>(line);
    }
}
