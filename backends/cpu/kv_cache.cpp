#include "backends/cpu/kv_cache.h"

#include <array>
#include <cstring>

namespace phiscope::cpu {
namespace {

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

int64_t element_bytes(KvType type) {
  if (type == KvType::f32) return 4;
  return type == KvType::f16 ? 2 : 1;
}

KvKind kind_of(KvType type) {
  if (type == KvType::f32) return KvKind::f32;
  return type == KvType::f16 ? KvKind::f16 : KvKind::s8;
}

template <class T>
void scatter(const T* from, int64_t head_dim, T* to) {
  for (int64_t d = 0; d < head_dim; ++d) to[d * kKeyLanes] = from[d];
}

}  // namespace

uint64_t KvCache::bytes_per_token(const Plan& plan, KvType type) {
  const int64_t per_head = (plan.head_dim + round_up(plan.head_dim, kKeyLanes)) * element_bytes(type) + (type == KvType::int8 ? 8 : 0);
  return static_cast<uint64_t>(plan.layers * plan.kv_heads * per_head);
}

uint64_t KvCache::bytes(const Plan& plan, KvType type, int64_t context) {
  return bytes_per_token(plan, type) * static_cast<uint64_t>(round_up(context, kKeyChunk));
}

KvCache::KvCache(const Plan& plan, KvType type, int64_t context, const KernelTable& kernels)
    : kernels_(kernels),
      kind_(kind_of(type)),
      first_layer_(plan.first_layer),
      heads_(plan.kv_heads),
      head_dim_(plan.head_dim),
      value_width_(round_up(plan.head_dim, kKeyLanes)),
      capacity_(round_up(context, kKeyChunk)),
      element_bytes_(element_bytes(type)) {
  const int64_t rows = plan.layers * plan.kv_heads * capacity_;
  keys_ = AlignedBuffer(static_cast<size_t>(rows * head_dim_ * element_bytes_));
  values_ = AlignedBuffer(static_cast<size_t>(rows * value_width_ * element_bytes_));
  if (kind_ == KvKind::s8) scales_ = AlignedBuffer(static_cast<size_t>(rows * 2 * 4));
}

KvHeadView KvCache::view(int layer, int64_t head) const {
  const int64_t index = head_index(layer, head);
  KvHeadView view{};
  view.kind = kind_;
  view.keys = keys_.data() + index * capacity_ * head_dim_ * element_bytes_;
  view.values = values_.data() + index * capacity_ * value_width_ * element_bytes_;
  if (kind_ == KvKind::s8) {
    view.key_scales = reinterpret_cast<const float*>(scales_.data()) + index * 2 * capacity_;
    view.value_scales = view.key_scales + capacity_;
  }
  return view;
}

void KvCache::store(int layer, int64_t head, int64_t position, const float* key, const float* value) {
  const int64_t index = head_index(layer, head);
  std::byte* keys = keys_.data() + index * capacity_ * head_dim_ * element_bytes_;
  std::byte* values = values_.data() + index * capacity_ * value_width_ * element_bytes_;
  const int64_t key_at = position / kKeyLanes * kKeyLanes * head_dim_ + position % kKeyLanes;
  const int64_t value_at = position * value_width_;
  if (kind_ == KvKind::f32) {
    scatter(key, head_dim_, reinterpret_cast<float*>(keys) + key_at);
    std::memcpy(reinterpret_cast<float*>(values) + value_at, value, static_cast<size_t>(head_dim_) * 4);
    return;
  }
  if (kind_ == KvKind::f16) {
    std::array<uint16_t, kQuantGroup> halves;
    kernels_.to_f16(key, head_dim_, halves.data());
    scatter(halves.data(), head_dim_, reinterpret_cast<uint16_t*>(keys) + key_at);
    kernels_.to_f16(value, head_dim_, reinterpret_cast<uint16_t*>(values) + value_at);
    return;
  }
  float* scales = reinterpret_cast<float*>(scales_.data()) + index * 2 * capacity_ + position;
  std::array<int8_t, kQuantGroup> codes;
  kernels_.quantize_row(key, head_dim_, codes.data(), scales);
  scatter(codes.data(), head_dim_, reinterpret_cast<int8_t*>(keys) + key_at);
  kernels_.quantize_row(value, head_dim_, reinterpret_cast<int8_t*>(values) + value_at, scales + capacity_);
}

}  // namespace phiscope::cpu
