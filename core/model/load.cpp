#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "core/base/hash.h"
#include "core/model/legacy_names.h"
#include "core/model/model.h"

namespace phiscope {
namespace {

// Matrices of models up to this size are searched for NaN and infinity at loading; of larger ones the quantizer and the packing do it.
constexpr uint64_t kCheckValuesBelow = 64 << 20;

// Other names of the same tensor, tried in this order: Phi-4-multimodal (text weights beside its adapters), transformers 5 for phimoe.
struct Alias {
  std::string_view from, to;
};
constexpr Alias kAliases[] = {
    {".weight", ".base_layer.weight"},
    {".block_sparse_moe.gate.weight", ".mlp.router.weight"},
};

// Experts as transformers 5 stacks them: [experts, 2 * ffn, hidden] (gate rows first) and [experts, hidden, ffn].
struct Stacked {
  std::string_view part, name;
  int64_t parts, index;  // matrices per expert in the stack, and which of them this is
};
constexpr Stacked kStacked[] = {
    {".w1.weight", "gate_up_proj", 2, 0}, {".w3.weight", "gate_up_proj", 2, 1}, {".w2.weight", "down_proj", 1, 0}};

// A matrix inside a file.
struct Place {
  const TensorEntry* entry = nullptr;
  int64_t first_row = 0;  // of a stack
};

bool is_float(DType type) { return type == DType::f32 || type == DType::f16 || type == DType::bf16; }

std::string file_of(const TensorFiles& files, const TensorEntry& entry) { return files.files()[static_cast<size_t>(entry.file)]->path().filename().string(); }

const TensorEntry* find_by_name(const TensorFiles& files, const std::string& name) {
  if (const TensorEntry* entry = files.find(name)) return entry;
  for (const Alias& alias : kAliases) {
    if (!name.ends_with(alias.from)) continue;
    const std::string other = name.substr(0, name.size() - alias.from.size()) + std::string(alias.to);
    if (const TensorEntry* entry = files.find(other)) return entry;
  }
  return nullptr;
}

Status check_shape(const TensorFiles& files, const TensorEntry& entry, std::span<const int64_t> expected) {
  if (!is_float(entry.view.dtype))
    return fail(ErrorCode::invalid_file, "{}: tensor '{}' has type {}, expected f32, f16 or bf16", file_of(files, entry), entry.name,
                dtype_name(entry.view.dtype));
  if (!std::equal(entry.view.shape.begin(), entry.view.shape.end(), expected.begin(), expected.end()))
    return fail(ErrorCode::invalid_file, "{}: tensor '{}' has shape {}, the config expects {}", file_of(files, entry), entry.name,
                shape_text(entry.view.shape), shape_text(expected));
  return {};
}

// "model.layers.0.block_sparse_moe.experts.3.w1.weight" in "model.layers.0.mlp.experts.gate_up_proj".
Result<Place> find_stacked(const TensorFiles& files, const PlanTensor& tensor, int64_t experts) {
  constexpr std::string_view kExperts = ".block_sparse_moe.experts.";
  const size_t at = tensor.name.find(kExperts);
  if (at == std::string::npos) return Place{};
  for (const Stacked& stacked : kStacked) {
    if (!tensor.name.ends_with(stacked.part)) continue;
    const TensorEntry* entry = files.find(tensor.name.substr(0, at) + ".mlp.experts." + std::string(stacked.name));
    if (entry == nullptr) return Place{};
    PHISCOPE_TRY(check_shape(files, *entry, std::vector<int64_t>{experts, stacked.parts * tensor.rows, tensor.columns}));
    const int64_t expert = std::stoll(tensor.name.substr(at + kExperts.size()));
    return Place{entry, (expert * stacked.parts + stacked.index) * tensor.rows};
  }
  return Place{};
}

tl::unexpected<Error> missing(const TensorFiles& files, const std::string& name, std::span<const int64_t> shape) {
  return fail(ErrorCode::not_found, "{}: tensor '{}' {} is missing; is the model complete and of the architecture that its config names?",
              files.files().front()->path().parent_path().string(), name, shape_text(shape));
}

// A matrix, or a vector when `columns` is 0, by its older name; no entry when the model has the usual names or the file lacks it.
Result<Place> find_legacy(const TensorFiles& files, const std::string& name, int64_t rows, int64_t columns, const ModelConfig& config) {
  if (!config.legacy_names) return Place{};
  const LegacyTensor legacy = legacy_tensor(name, rows, config);
  const TensorEntry* entry = files.find(legacy.name);
  if (entry == nullptr) return Place{};
  PHISCOPE_TRY(check_shape(files, *entry, columns > 0 ? std::vector<int64_t>{legacy.rows, columns} : std::vector<int64_t>{legacy.rows}));
  return Place{entry, legacy.first_row};
}

Result<Place> find_matrix(const TensorFiles& files, const PlanTensor& tensor, const ModelConfig& config) {
  const std::vector<int64_t> shape{tensor.rows, tensor.columns};
  if (const TensorEntry* entry = find_by_name(files, tensor.name)) {
    PHISCOPE_TRY(check_shape(files, *entry, shape));
    return Place{entry, 0};
  }
  PHISCOPE_ASSIGN(Place place, find_stacked(files, tensor, config.experts));
  if (place.entry == nullptr) {
    PHISCOPE_ASSIGN(place, find_legacy(files, tensor.name, tensor.rows, tensor.columns, config));
  }
  if (place.entry == nullptr) return missing(files, tensor.name, shape);
  return place;
}

// Index of the first value that is NaN or infinite, or -1.
int64_t first_bad_value(const TensorView& tensor) {
  constexpr int64_t kStep = 4096;
  std::vector<float> values(kStep);
  const int64_t count = tensor.elements();
  for (int64_t first = 0; first < count; first += kStep) {
    const int64_t step = std::min(kStep, count - first);
    widen_to_f32(tensor, first, step, values.data());
    for (int64_t i = 0; i < step; ++i)
      if (!std::isfinite(values[static_cast<size_t>(i)])) return first + i;
  }
  return -1;
}

Status check_values(const TensorFiles& files, const TensorEntry& entry) {
  const int64_t bad = first_bad_value(entry.view);
  if (bad < 0) return {};
  return fail(ErrorCode::invalid_file, "{}: tensor '{}' holds a NaN or infinite value at element {} (file offset {}); the checkpoint is damaged",
              file_of(files, entry), entry.name, bad, entry.offset + static_cast<uint64_t>(bad) * dtype_bytes(entry.view.dtype));
}

// The plan's matrices straight on the mapping.
class FileWeights : public WeightSource {
 public:
  FileWeights(std::shared_ptr<const TensorFiles> files, std::vector<Place> places, const std::vector<PlanTensor>& tensors)
      : files_(std::move(files)), places_(std::move(places)) {
    for (const PlanTensor& tensor : tensors) shapes_.emplace_back(tensor.rows, tensor.columns);
  }

  Result<Weight> tensor(int index) const override {
    const auto& [rows, columns] = shapes_[static_cast<size_t>(index)];
    Weight weight{WeightView{encoding(index), rows, columns, data(index), nullptr, nullptr}, files_};
    // A file may place tensors at any byte; kernels read whole elements.
    const size_t element = dtype_bytes(weight.view.encoding.float_type);
    if (reinterpret_cast<uintptr_t>(weight.view.codes) % element != 0) {
      auto copy = std::make_shared<AlignedBuffer>(bytes(index));
      std::memcpy(copy->data(), weight.view.codes, bytes(index));
      weight.view.codes = copy->data();
      weight.owner = std::move(copy);
    }
    return weight;
  }
  WeightEncoding encoding(int index) const override {
    WeightEncoding encoding;
    encoding.float_type = places_[static_cast<size_t>(index)].entry->view.dtype;
    return encoding;
  }
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
    return place.entry->view.data + static_cast<size_t>(place.first_row * columns) * dtype_bytes(place.entry->view.dtype);
  }

  std::shared_ptr<const TensorFiles> files_;
  std::vector<Place> places_;
  std::vector<std::pair<int64_t, int64_t>> shapes_;  // rows, columns
};

Status fill_vector(const TensorFiles& files, const ModelConfig& config, PlanVector& vector, std::set<const TensorEntry*>& used) {
  const std::vector<int64_t> shape{static_cast<int64_t>(vector.values.size())};
  Place place{find_by_name(files, vector.name), 0};
  if (place.entry != nullptr) {
    PHISCOPE_TRY(check_shape(files, *place.entry, shape));
  } else {
    PHISCOPE_ASSIGN(place, find_legacy(files, vector.name, shape[0], 0, config));
  }
  if (place.entry == nullptr) return missing(files, vector.name, shape);
  PHISCOPE_TRY(check_values(files, *place.entry));
  widen_to_f32(place.entry->view, place.first_row, shape[0], vector.values.data());
  used.insert(place.entry);
  return {};
}

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

}  // namespace

Result<Model> load_model(const std::filesystem::path& folder) {
  Model model;
  model.folder = folder;
  PHISCOPE_ASSIGN(model.config, load_config(folder));
  model.name = model.config.name;
  PHISCOPE_ASSIGN(model.files, TensorFiles::open_folder(folder));
  const TensorFiles& files = *model.files;
  if (files.tensors().empty()) return fail(ErrorCode::invalid_file, "{}: its safetensors files hold no tensors", folder.string());

  PHISCOPE_ASSIGN(Plan plan, lower(model.config));
  std::set<const TensorEntry*> used;
  std::vector<Place> places;
  for (const PlanTensor& tensor : plan.tensors) {
    PHISCOPE_ASSIGN(const Place place, find_matrix(files, tensor, model.config));
    if (files.files().front()->bytes().size() <= kCheckValuesBelow && used.insert(place.entry).second) PHISCOPE_TRY(check_values(files, *place.entry));
    used.insert(place.entry);
    places.push_back(place);
  }
  for (PlanVector& vector : plan.vectors) PHISCOPE_TRY(fill_vector(files, model.config, vector, used));
  model.notices = skipped_notices(files, used);
  model.weights = std::make_shared<FileWeights>(model.files, std::move(places), plan.tensors);
  PHISCOPE_ASSIGN(const std::string config_text, read_file(folder / "config.json"));
  model.hash = hash_text(hash_text(config_text) + files.content_hash());
  model.plan = std::make_shared<const Plan>(std::move(plan));
  return model;
}

}  // namespace phiscope
