#include "backends/cpu/packed_model.h"

#include <cstring>

#include "backends/cpu/packed_cache.h"

namespace phiscope::cpu {
namespace {

template <class T>
T load(const std::byte* from, int64_t index) {
  T value;
  std::memcpy(&value, from + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

float read_float(const PackedMatrix& m, const std::byte* block, int64_t lane, int64_t k) {
  if (m.kind == PackedKind::f32) return load<float>(block, k * kBlockRows + lane);
  if (m.kind == PackedKind::f16) return f16_to_f32(load<uint16_t>(block, k * kBlockRows + lane));
  return bf16_to_f32(load<uint16_t>(block, (k / 2 * kBlockRows + lane) * 2 + k % 2));
}

float read_integer(const PackedMatrix& m, const std::byte* block, int64_t lane, int64_t k) {
  const std::byte* head = block + k / m.group * m.group_bytes;
  const std::byte* zeros = head + kBlockRows * (m.has_f32_scales ? 4 : 2);
  const std::byte* lines = zeros + (m.has_zero_points ? kBlockRows : 0);
  const float scale = m.has_f32_scales ? load<float>(head, lane) : f16_to_f32(load<uint16_t>(head, lane));
  const int64_t j = k % m.group;
  int code = 0, middle = 0;
  if (m.kind == PackedKind::q8) {
    code = load<uint8_t>(lines, (j / 4 * kBlockRows + lane) * 4 + j % 4);
    middle = 128;
  } else {
    code = load<uint8_t>(lines, (j / 8 * kBlockRows + lane) * 4 + j % 4) >> (4 * (j / 4 % 2)) & 15;
    middle = 8;
  }
  return scale * static_cast<float>(code - (m.has_zero_points ? load<uint8_t>(zeros, lane) : middle));
}

}  // namespace

std::vector<bool> multiplied_tensors(const Plan& plan) {
  std::vector<bool> used(plan.tensors.size(), false);
  const auto mark = [&](const std::vector<Linear>& linears) {
    for (const Linear& linear : linears) used[static_cast<size_t>(linear.tensor)] = true;
  };
  for (const Phase& phase : plan.phases) {
    mark(phase.linears);
    mark(phase.expert_gate);
    mark(phase.expert_up);
    mark(phase.expert_down);
    if (phase.router >= 0) used[static_cast<size_t>(phase.router)] = true;
  }
  if (plan.head >= 0) used[static_cast<size_t>(plan.head)] = true;
  bool has_embedding_phase = false;
  for (const Phase& phase : plan.phases) has_embedding_phase = has_embedding_phase || phase.kind == PhaseKind::embedding;
  if (has_embedding_phase && plan.embedding >= 0 && plan.embedding != plan.head) used[static_cast<size_t>(plan.embedding)] = false;
  return used;
}

void read_packed_row(const PackedMatrix& m, int64_t row, float* out) {
  const std::byte* block = m.data + row / kBlockRows * m.block_bytes;
  const int64_t lane = row % kBlockRows;
  const bool is_integer = m.kind == PackedKind::q8 || m.kind == PackedKind::q4;
  for (int64_t k = 0; k < m.columns; ++k) out[k] = is_integer ? read_integer(m, block, lane, k) : read_float(m, block, lane, k);
}

Result<AlignedBuffer> PackedModel::pack(const WeightSource& weights, int tensor, Pool& pool) const {
  PHISCOPE_ASSIGN(const Weight source, weights.tensor(tensor));
  const PackedMatrix& matrix = matrices_[static_cast<size_t>(tensor)];
  AlignedBuffer buffer(static_cast<size_t>(packed_bytes(matrix)));
  pool.run(matrix.blocks, 1, [&](int64_t begin, int64_t end, int) { pack_blocks(source.view, matrix, begin, end, buffer.data()); });
  weights.release(tensor);
  return buffer;
}

Status PackedModel::pack_and_keep(const WeightSource& weights, int tensor, Pool& pool) {
  PHISCOPE_ASSIGN(AlignedBuffer buffer, pack(weights, tensor, pool));
  matrices_[static_cast<size_t>(tensor)].data = buffer.data();
  buffers_.push_back(std::move(buffer));
  return {};
}

Status PackedModel::load_from_cache(const std::filesystem::path& folder, const WeightSource& weights, const std::function<Status(int)>& progress,
                                    Pool& pool) {
  const std::filesystem::path path = packed_cache_path(folder, weights.hash());
  if (auto mapped = map_packed_cache(path, weights.hash(), matrices_, pool)) {
    mapping_ = std::move(*mapped);
    return {};
  }
  AlignedBuffer packed;
  const auto pack_one = [&](int tensor) -> Result<std::span<const std::byte>> {
    PHISCOPE_TRY(progress(tensor));
    PHISCOPE_ASSIGN(packed, pack(weights, tensor, pool));
    return std::span<const std::byte>(packed.data(), packed.size());
  };
  PHISCOPE_TRY(write_packed_cache(path, weights.hash(), matrices_, pack_one));
  PHISCOPE_ASSIGN(mapping_, map_packed_cache(path, weights.hash(), matrices_, pool));
  return {};
}

Result<std::unique_ptr<PackedModel>> PackedModel::load(const Plan& plan, const WeightSource& weights, const OpenOptions& options, Pool& pool) {
  auto model = std::make_unique<PackedModel>();
  model->matrices_.resize(plan.tensors.size());
  const std::vector<bool> used = multiplied_tensors(plan);
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) continue;
    PHISCOPE_ASSIGN(model->matrices_[i], packed_shape(weights.encoding(static_cast<int>(i)), plan.tensors[i].rows, plan.tensors[i].columns));
  }
  const auto progress = [&](int tensor) -> Status {
    const auto i = static_cast<size_t>(tensor);
    if (!options.on_progress || options.on_progress(static_cast<double>(i) / static_cast<double>(used.size()))) return {};
    return fail(ErrorCode::cancelled, "loading was stopped before packing {}", plan.tensors[i].name);
  };
  if (!options.packed_cache.empty() && !weights.hash().empty()) {
    const Status cached = model->load_from_cache(options.packed_cache, weights, progress, pool);
    if (cached) return model;
    if (cached.error().code == ErrorCode::cancelled) return fail(cached.error());
    model->note_ = "weights were packed in private memory, the packed cache failed: " + cached.error().message;
  }
  for (size_t i = 0; i < used.size(); ++i) {
    PHISCOPE_TRY(progress(static_cast<int>(i)));
    if (used[i]) PHISCOPE_TRY(model->pack_and_keep(weights, static_cast<int>(i), pool));
  }
  return model;
}

Result<std::unique_ptr<PackedModel>> PackedModel::load_tensor(const Plan& plan, const WeightSource& weights, int tensor, Pool& pool) {
  auto model = std::make_unique<PackedModel>();
  model->matrices_.resize(plan.tensors.size());
  const auto i = static_cast<size_t>(tensor);
  PHISCOPE_ASSIGN(model->matrices_[i], packed_shape(weights.encoding(tensor), plan.tensors[i].rows, plan.tensors[i].columns));
  PHISCOPE_TRY(model->pack_and_keep(weights, tensor, pool));
  return model;
}

uint64_t PackedModel::private_bytes() const {
  uint64_t total = 0;
  for (const AlignedBuffer& buffer : buffers_) total += buffer.size();
  return total;
}

}  // namespace phiscope::cpu
