#pragma once
// Element types, 16-bit float conversion, views of tensors that somebody else owns.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tensor/block_type.h"

namespace phiscope {

enum class DType : uint8_t { f32, f16, bf16, f64, i8, u8, i16, u16, i32, u32, i64, u64, boolean, f8_e4m3, f8_e5m2 };

size_t dtype_bytes(DType type);
/// "f32", "bf16", ...: as shown to users.
std::string_view dtype_name(DType type);

/// Round to nearest even; overflow becomes infinity, NaN stays a quiet NaN.
uint16_t f32_to_f16(float value);
float f16_to_f32(uint16_t bits);
uint16_t f32_to_bf16(float value);
float bf16_to_f32(uint16_t bits);

/// A tensor in row-major order that somebody else keeps alive (a mapped file, a buffer).
struct TensorView {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;
  BlockType block = BlockType::none;  // then the data is blocks along the last dimension, and dtype is u8

  int64_t elements() const;
  uint64_t bytes() const;
  std::string_view type_name() const;  // "bf16", "Q4_K"
  int64_t rows() const { return shape.empty() ? 1 : shape.front(); }                   // first dimension
  int64_t columns() const { return rows() == 0 ? 0 : elements() / rows(); }            // all the others together
};

/// "[3072, 8192]".
std::string shape_text(std::span<const int64_t> shape);

/// Widens `count` elements starting at element `first` of an f32, f16 or bf16 tensor; other types are the caller's mistake.
/// `out` must not overlap the tensor. Exact. Thread-safe.
void widen_to_f32(const TensorView& tensor, int64_t first, int64_t count, float* out);

/// Rounds `count` floats to f32, f16 or bf16 as f32_to_f16 and f32_to_bf16 do. `out` must not overlap `values`. Thread-safe.
void narrow_from_f32(const float* values, int64_t count, DType type, std::byte* out);

/// Memory aligned to 64 bytes (2 MiB and marked for huge pages from 2 MiB on), not initialised. Move-only.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// Throws std::bad_alloc when the system has no memory: callers that can be asked for unbounded sizes check before.
  explicit AlignedBuffer(size_t bytes);
  static AlignedBuffer zeroed(size_t bytes);
  AlignedBuffer(AlignedBuffer&& other) noexcept : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }
  template <class T>
  std::span<T> as() {
    return {reinterpret_cast<T*>(data_.get()), size_ / sizeof(T)};
  }
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data_.get()), size_ / sizeof(T)};
  }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte[], Free> data_;
  size_t size_ = 0;
};

}  // namespace phiscope
