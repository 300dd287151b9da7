#include "core/model/file_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "core/quant/blocks.h"

namespace phiscope {
namespace {

constexpr uint64_t kCheckValuesBelow = 64 << 20;

bool is_float(const TensorView& view) {
  return view.block == BlockType::none && (view.dtype == DType::f32 || view.dtype == DType::f16 || view.dtype == DType::bf16);
}

WeightEncoding encoding_of(const TensorView& view) {
  WeightEncoding encoding;
  encoding.block = view.block;
  if (view.block == BlockType::none) encoding.float_type = view.dtype;
  return encoding;
}

// Index of the first value that is NaN or infinite, or -1.
int64_t first_bad_value(const TensorView& tensor) {
  const bool is_blocks = tensor.block != BlockType::none;
  const int64_t per_block = is_blocks ? block_layout(tensor.block).values : 1;
  const int64_t step = 4096 / per_block * per_block, count = tensor.elements();
  std::vector<float> values(static_cast<size_t>(step));
  for (int64_t first = 0; first < count; first += step) {
    const int64_t size = std::min(step, count - first);
    if (is_blocks)
      dequantize_blocks(tensor.block, tensor.data + block_row_bytes(tensor.block, first), size, values.data());
    else
      widen_to_f32(tensor, first, size, values.data());
    for (int64_t i = 0; i < size; ++i)
      if (!std::isfinite(values[static_cast<size_t>(i)])) return first + i;
  }
  return -1;
}

uint64_t offset_of(const TensorView& tensor, int64_t element) {
  if (tensor.block == BlockType::none) return static_cast<uint64_t>(element) * dtype_bytes(tensor.dtype);
  const int64_t per_block = block_layout(tensor.block).values;
  return block_row_bytes(tensor.block, element / per_block * per_block);
}

class FileWeights : public WeightSource {
 public:
  FileWeights(std::shared_ptr<const TensorFiles> files, std::vector<Place> places, const std::vector<PlanTensor>& tensors)
      : files_(std::move(files)), places_(std::move(places)) {
    for (const PlanTensor& tensor : tensors) shapes_.emplace_back(tensor.rows, tensor.columns);
  }

  Result<Weight> tensor(int index) const override {
    const auto& [rows, columns] = shapes_[static_cast<size_t>(index)];
    Weight weight{WeightView{encoding(index), rows, columns, data(index), nullptr, nullptr}, files_};
    // A file may place tensors at any byte; kernels read whole elements. Blocks are read byte by byte.
    const size_t element = weight.view.encoding.is_blocks() ? 1 : dtype_bytes(weight.view.encoding.float_type);
    if (reinterpret_cast<uintptr_t>(weight.view.codes) % element != 0) {
      auto copy = std::make_shared<AlignedBuffer>(bytes(index));
      std::memcpy(copy->data(), weight.view.codes, bytes(index));
      weight.view.codes = copy->data();
      weight.owner = std::move(copy);
    }
    return weight;
  }
  WeightEncoding encoding(int index) const override { return encoding_of(places_[static_cast<size_t>(index)].entry->view); }
  void release(int index) const override {
    const TensorEntry& entry = *places_[static_cast<size_t>(index)].entry;
    const MappedFile& file = *files_->files()[static_cast<size_t>(entry.file)];
    file.drop(static_cast<size_t>(data(index) - file.bytes().data()), bytes(index));
  }
  std::string hash() const override { return files_->content_hash(); }

 private:
  size_t bytes(int index) const {
    const auto& [rows, columns] = shapes_[static_cast<size_t>(index)];
    return encoding(index).bytes(rows, columns);
  }
  const std::byte* data(int index) const {
    const Place& place = places_[static_cast<size_t>(index)];
    const int64_t columns = shapes_[static_cast<size_t>(index)].second;
    return place.entry->view.data + static_cast<size_t>(place.first_row) * encoding(index).code_bytes_per_row(columns);
  }

  std::shared_ptr<const TensorFiles> files_;
  std::vector<Place> places_;
  std::vector<std::pair<int64_t, int64_t>> shapes_;  // rows, columns
};

// What a tensor that the text model does not use is called in a notice; the first row that matches wins.
struct Skipped {
  std::string_view part, what;
};
constexpr Skipped kSkipped[] = {
    {"rotary_emb.inv_freq", ""},  // recomputed from the config, as transformers does
    {"inner_attn", ""},           // of phi-msft: masks without weights
    {"inner_cross_attn", ""},
    {"lora_", "adapter"},
    {"embed_tokens_extend.audio", "audio"},
    {"embed_tokens_extend", "vision"},
    {"vision", "vision"},
    {"mm_projector", "vision"},
    {"img_", "vision"},
    {"", "unused"},
};

}  // namespace

std::string file_of(const TensorFiles& files, const TensorEntry& entry) { return files.files()[static_cast<size_t>(entry.file)]->path().filename().string(); }

Status check_shape(const TensorFiles& files, const TensorEntry& entry, std::span<const int64_t> expected) {
  if (!is_float(entry.view) && entry.view.block == BlockType::none)
    return fail(ErrorCode::invalid_file, "{}: tensor '{}' at offset {} has type {}, expected f32, f16, bf16 or a GGUF block type", file_of(files, entry), entry.name,
                entry.offset, dtype_name(entry.view.dtype));
  if (!std::equal(entry.view.shape.begin(), entry.view.shape.end(), expected.begin(), expected.end()))
    return fail(ErrorCode::invalid_file, "{}: tensor '{}' at offset {} has shape {}, the config expects {}", file_of(files, entry), entry.name, entry.offset,
                shape_text(entry.view.shape), shape_text(expected));
  return {};
}

Status check_values(const TensorFiles& files, const TensorEntry& entry) {
  const int64_t bad = first_bad_value(entry.view);
  if (bad < 0) return {};
  return fail(ErrorCode::invalid_file, "{}: tensor '{}' holds a NaN or infinite value at element {} (file offset {}); the checkpoint is damaged",
              file_of(files, entry), entry.name, bad, entry.offset + offset_of(entry.view, bad));
}

bool checks_all_values(const TensorFiles& files) { return files.files().front()->bytes().size() <= kCheckValuesBelow; }

Status read_vector(const TensorFiles& files, const TensorEntry& entry, int64_t first, std::span<float> out) {
  if (!is_float(entry.view))
    return fail(ErrorCode::invalid_file, "{}: tensor '{}' at offset {} has type {}, a vector is f32, f16 or bf16", file_of(files, entry), entry.name, entry.offset,
                entry.view.type_name());
  PHISCOPE_TRY(check_values(files, entry));
  widen_to_f32(entry.view, first, static_cast<int64_t>(out.size()), out.data());
  return {};
}

tl::unexpected<Error> missing_tensor(const std::string& where, const std::string& name, std::span<const int64_t> shape) {
  return fail(ErrorCode::not_found, "{}: tensor '{}' {} is missing; is the model complete and of the architecture that its config names?", where, name,
              shape_text(shape));
}

std::shared_ptr<const WeightSource> make_file_weights(std::shared_ptr<const TensorFiles> files, std::vector<Place> places,
                                                      const std::vector<PlanTensor>& tensors) {
  return std::make_shared<FileWeights>(std::move(files), std::move(places), tensors);
}

std::string stored_blocks(const Model& model) {
  std::map<std::string, int64_t> elements;
  for (size_t i = 0; i < model.plan->tensors.size(); ++i) {
    const WeightEncoding encoding = model.weights->encoding(static_cast<int>(i));
    if (encoding.is_blocks()) elements[encoding.name()] += model.plan->tensors[i].rows * model.plan->tensors[i].columns;
  }
  std::vector<std::pair<int64_t, std::string>> order;
  for (const auto& [name, count] : elements) order.emplace_back(-count, name);
  std::ranges::sort(order);
  std::string text;
  for (const auto& [count, name] : order) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

std::vector<std::string> skipped_notices(const TensorFiles& files, const std::set<const TensorEntry*>& used) {
  struct Group {
    int count = 0;
    std::string first;
  };
  std::map<std::string_view, Group> groups;
  for (const TensorEntry& entry : files.tensors()) {
    if (used.contains(&entry)) continue;
    for (const Skipped& row : kSkipped) {
      if (entry.name.find(row.part) == std::string::npos) continue;
      Group& group = groups[row.what];
      if (group.count++ == 0) group.first = entry.name;
      break;
    }
  }
  std::vector<std::string> notices;
  for (const auto& [what, group] : groups)
    if (!what.empty()) notices.push_back(fmt::format("skipped {} {} tensor{} ('{}'{})", group.count, what, group.count == 1 ? "" : "s", group.first,
                                                     group.count == 1 ? "" : ", ..."));
  return notices;
}

}  // namespace phiscope
