#include "core/tensor/dtype.h"

#include <fmt/format.h>

#include <array>

namespace phiscope {
namespace {

struct DTypeRow {
  DType type;
  std::string_view name;
  size_t bytes;
};

// In the order of the enumerators.
constexpr std::array kDTypes{
    DTypeRow{DType::f32, "f32", 4},         DTypeRow{DType::f16, "f16", 2}, DTypeRow{DType::bf16, "bf16", 2},
    DTypeRow{DType::f64, "f64", 8},         DTypeRow{DType::i8, "i8", 1},   DTypeRow{DType::u8, "u8", 1},
    DTypeRow{DType::i16, "i16", 2},         DTypeRow{DType::u16, "u16", 2}, DTypeRow{DType::i32, "i32", 4},
    DTypeRow{DType::u32, "u32", 4},         DTypeRow{DType::i64, "i64", 8}, DTypeRow{DType::u64, "u64", 8},
    DTypeRow{DType::boolean, "bool", 1},    DTypeRow{DType::f8_e4m3, "f8_e4m3", 1},
    DTypeRow{DType::f8_e5m2, "f8_e5m2", 1},
};

constexpr bool rows_match_enumerators() {
  for (size_t i = 0; i < kDTypes.size(); ++i)
    if (static_cast<size_t>(kDTypes[i].type) != i) return false;
  return true;
}
static_assert(rows_match_enumerators());

}  // namespace

size_t dtype_bytes(DType type) { return kDTypes[static_cast<size_t>(type)].bytes; }

std::string_view dtype_name(DType type) { return kDTypes[static_cast<size_t>(type)].name; }

int64_t TensorView::elements() const {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

uint64_t TensorView::bytes() const {
  const auto count = static_cast<uint64_t>(elements());
  if (block == BlockType::none) return count * dtype_bytes(dtype);
  const BlockLayout& layout = block_layout(block);
  return count / static_cast<uint64_t>(layout.values) * static_cast<uint64_t>(layout.bytes);
}

std::string_view TensorView::type_name() const { return block == BlockType::none ? dtype_name(dtype) : block_layout(block).name; }

std::string shape_text(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace phiscope
