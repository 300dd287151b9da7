// A model as a GGUF file for llama.cpp.

#include <algorithm>
#include <map>

#include "core/base/platform/platform.h"
#include "core/convert/artifact_layout.h"
#include "core/convert/exporter.h"
#include "core/convert/fingerprint.h"
#include "core/convert/gguf_tokenizer.h"
#include "core/convert/gguf_types.h"
#include "core/convert/matrix_writer.h"
#include "core/format/gguf_writer.h"
#include "core/model/gguf_names.h"
#include "core/quant/exact_blocks.h"

namespace phiscope {
namespace {

/// One tensor of the file and where its values come from: matrices of the plan (several for a stack of experts), a vector, or a list.
struct Content {
  std::vector<int> matrices;
  std::span<const float> values;  // instead
  MatrixTarget target;
};

class Exporter {
 public:
  Exporter(const Model& model, const ExportRequest& request, std::string_view format)
      : model_(model), request_(request), plan_(*model.plan), architecture_(gguf_architecture(model.config.architecture)),
        writer_(request.recipe.method, request.options.threads > 0 ? request.options.threads : platform::cpu_info().usable_cores) {
    constexpr std::string_view kPrefix = "gguf:";
    for (const GgufMixture& mixture : gguf_mixtures())
      if (format.starts_with(kPrefix) && format.substr(kPrefix.size()) == mixture.name) mixture_ = &mixture;
  }

  Result<ExportResult> run();

 private:
  Result<MatrixTarget> target_of(const PlanTensor& planned, int index, const std::string& name) const;
  Result<MatrixTarget> exact_target(const PlanTensor& planned, const WeightEncoding& values) const;
  Status add_matrices();
  Status add_vectors();
  Status describe();
  void describe_sizes();
  Status describe_tokenizer();
  void warn();
  uint32_t file_type() const;
  Status write_matrices(const Content& content);
  Status report(const ArtifactTensor& tensor, int64_t rows);

  const Model& model_;
  const ExportRequest& request_;
  const Plan& plan_;
  const std::string_view architecture_;
  const GgufMixture* mixture_ = nullptr;  // null: the recipe's values exactly
  MatrixWriter writer_;
  GgufMetadata metadata_;
  std::vector<GgufTensor> tensors_;
  std::vector<Content> contents_;
  std::map<std::string, size_t> index_;
  std::unique_ptr<GgufWriter> file_;
  ExportResult result_;
  double done_elements_ = 0, all_elements_ = 0;
  int rounded_twice_ = 0;  // tensors that were quantized before
};

// No type of GGUF has a free zero point per group with a scale that is one of f16 and an offset that is its multiple.
Result<MatrixTarget> Exporter::exact_target(const PlanTensor& planned, const WeightEncoding& values) const {
  if (values.is_floating()) return MatrixTarget{values, values};
  const BlockType block = exact_block_type(values, planned.columns);
  if (block != BlockType::none) return MatrixTarget{values, {.block = block}};
  if (values.offset == OffsetClass::symmetric) return MatrixTarget{values, {.float_type = DType::f32}};  // short rows of tiny models
  return fail(ErrorCode::unsupported, "tensor '{}': no type of GGUF holds '{}' exactly; --format gguf:Q4_1 quantizes the original model to the nearest one",
              planned.name, values.name());
}

Result<MatrixTarget> Exporter::target_of(const PlanTensor& planned, int index, const std::string& name) const {
  const WeightEncoding source = model_.weights->encoding(index);
  if (mixture_ == nullptr) {
    const WeightRule& rule = request_.recipe.rule_for(planned.tensor_class, planned.name);
    return exact_target(planned, rule.keep_source ? source : rule.encoding);
  }
  GgufPlace place{.name = name, .layers = plan_.layers, .columns = planned.columns, .is_head = index == plan_.head};
  if (name.starts_with("blk.")) place.layer = std::stoll(name.substr(4));
  const WeightEncoding layout = gguf_encoding(*mixture_, place);
  // An int4 artifact is Q4_0 already, code for code.
  const bool is_exact = layout.is_blocks() && exact_block_type(source, planned.columns) == layout.block;
  return MatrixTarget{is_exact ? source : layout, layout};
}

Status Exporter::add_matrices() {
  for (size_t i = 0; i < plan_.tensors.size(); ++i) {
    const PlanTensor& planned = plan_.tensors[i];
    const auto name = gguf_name(model_.config.architecture, planned.name);
    if (!name) return fail(ErrorCode::unsupported, "tensor '{}' has no name in GGUF", planned.name);
    PHISCOPE_ASSIGN(const MatrixTarget target, target_of(planned, static_cast<int>(i), name->name));
    result_.tensors.push_back({.name = planned.name, .encoding = target.layout, .error = {}, .bytes = target.layout.bytes(planned.rows, planned.columns),
                               .rows = planned.rows, .columns = planned.columns});
    all_elements_ += static_cast<double>(planned.rows) * static_cast<double>(planned.columns);
    const WeightEncoding source = model_.weights->encoding(static_cast<int>(i));
    rounded_twice_ += !source.is_floating() && !same_encoding(source, target.values) && target.layout != WeightEncoding{} ? 1 : 0;
    const auto [place, is_new] = index_.emplace(name->name, tensors_.size());
    if (is_new) {
      std::vector<int64_t> shape{planned.rows, planned.columns};
      if (name->expert >= 0) shape.insert(shape.begin(), 0);
      tensors_.push_back({name->name, std::move(shape), target.layout.float_type, target.layout.block});
      contents_.push_back({{}, {}, target});
    }
    if (name->expert >= 0) ++tensors_[place->second].shape[0];
    contents_[place->second].matrices.push_back(static_cast<int>(i));
  }
  return {};
}

Status Exporter::add_vectors() {
  const auto add = [this](std::string name, std::span<const float> values) {
    tensors_.push_back({std::move(name), {static_cast<int64_t>(values.size())}, DType::f32, BlockType::none});
    contents_.push_back({{}, values, {}});
  };
  for (const PlanVector& vector : plan_.vectors) {
    const auto name = gguf_name(model_.config.architecture, vector.name);
    if (!name) return fail(ErrorCode::unsupported, "tensor '{}' has no name in GGUF", vector.name);
    add(name->name, vector.values);
  }
  if (!model_.config.longrope) return {};
  add(std::string(kGgufFactorsLong), model_.config.long_factor);
  add(std::string(kGgufFactorsShort), model_.config.short_factor);
  return {};
}

uint32_t Exporter::file_type() const {
  if (mixture_ != nullptr) return mixture_->file_type;
  std::map<uint32_t, int> matrices;
  for (const ArtifactTensor& tensor : result_.tensors) ++matrices[gguf_file_type(tensor.encoding)];
  return std::ranges::max_element(matrices, {}, [](const auto& entry) { return entry.second; })->first;
}

void Exporter::describe_sizes() {
  for (const GgufKey& key : gguf_keys()) {
    if (key.need(architecture_) == GgufNeed::absent) continue;
    const std::string name = gguf_key(architecture_, key.suffix);
    if (key.whole != nullptr) {
      metadata_.add_u32(name, static_cast<uint32_t>(model_.config.*key.whole));
    } else if (key.number != nullptr) {
      metadata_.add_f32(name, static_cast<float>(model_.config.*key.number));
    } else if (key.suffix == kGgufRotaryDims) {
      metadata_.add_u32(name, static_cast<uint32_t>(plan_.rotary.rotary_dims));
    } else if (key.suffix == kGgufAttentionFactor && model_.config.longrope) {
      metadata_.add_f32(name, plan_.rotary.mscale_short);
    }
  }
  if (!model_.config.longrope || plan_.rotary.mscale_short == plan_.rotary.mscale_long) return;
  metadata_.add_f32(kGgufShortMscale, plan_.rotary.mscale_short);
  metadata_.add_f32(kGgufLongMscale, plan_.rotary.mscale_long);
}

Status Exporter::describe_tokenizer() {
  if (model_.folder.empty()) {
    metadata_.add_text("tokenizer.ggml.model", "no_vocab");
    metadata_.add_u32(gguf_key(architecture_, "vocab_size"), static_cast<uint32_t>(plan_.vocab));
    result_.notices.push_back("the model has no tokenizer: the file takes token ids only");
    return {};
  }
  PHISCOPE_ASSIGN(const TokenizerParts tokenizer, read_tokenizer_files(model_.folder));
  int64_t pad_id = -1;
  if (const auto config = read_json_file(model_.folder / "config.json"); config && config->value("pad_token_id", Json()).is_number_integer())
    pad_id = (*config)["pad_token_id"].get<int64_t>();
  metadata_.add_text("general.name", gguf_model_name(model_.name, tokenizer.definition));
  return add_tokenizer(tokenizer, plan_.vocab, pad_id < plan_.vocab ? pad_id : -1, metadata_, result_.notices);
}

Status Exporter::describe() {
  metadata_.add_text("general.architecture", architecture_);
  metadata_.add_text("general.type", "model");
  metadata_.add_u32("general.file_type", file_type());
  metadata_.add_u32("general.quantization_version", 2);
  describe_sizes();
  return describe_tokenizer();
}

/// Where llama.cpp computes something else than transformers, so that nobody takes a difference for an error of the file.
void Exporter::warn() {
  const ModelConfig& config = model_.config;
  if (rounded_twice_ > 0)
    result_.notices.push_back(fmt::format("{} of {} matrices were quantized already and are rounded again, so errors add up{}", rounded_twice_, plan_.tensors.size(),
                                          mixture_ != nullptr ? "; --format gguf keeps them as they are" : ""));
  if (plan_.window > 0)
    result_.notices.push_back(fmt::format("llama.cpp ignores the sliding window of {} tokens: its answers differ from transformers' beyond that length", plan_.window));
  if (config.longrope)
    result_.notices.push_back(fmt::format("llama.cpp takes the long rope factors whenever its context is set above {}, however short the prompt is: run it "
                                          "with -c {} for what fits",
                                          config.original_max_positions, config.original_max_positions));
  if (config.longrope && plan_.rotary.mscale_short != plan_.rotary.mscale_long)
    result_.notices.push_back(fmt::format("GGUF holds one rope scale, {}: beyond {} tokens the model's own is {}", plan_.rotary.mscale_short,
                                          config.original_max_positions, plan_.rotary.mscale_long));
  if (config.architecture == "phimoe")
    result_.notices.push_back("llama.cpp normalizes and routes this architecture in another way than transformers: its answers differ at every length");
  if (config.head_dim * config.heads != config.hidden_size)
    result_.notices.push_back(fmt::format("llama.cpp does not load this architecture with {} heads of {} in a width of {}", config.heads, config.head_dim,
                                          config.hidden_size));
}

Status Exporter::report(const ArtifactTensor& tensor, int64_t rows) {
  done_elements_ += static_cast<double>(rows) * static_cast<double>(tensor.columns);
  const auto& on_progress = request_.options.on_progress;
  if (!on_progress || on_progress(done_elements_ / all_elements_, tensor.name)) return {};
  return fail(ErrorCode::cancelled, "export stopped at tensor '{}'; nothing was kept", tensor.name);
}

Status Exporter::write_matrices(const Content& content) {
  for (const int index : content.matrices) {
    ArtifactTensor& tensor = result_.tensors[static_cast<size_t>(index)];
    PHISCOPE_ASSIGN(Weight weight, model_.weights->tensor(index));
    auto sums = writer_.write(std::move(weight), content.target, [this](std::span<const std::byte> bytes) { return file_->write(bytes); },
                              [&](int64_t rows) { return report(tensor, rows); });
    model_.weights->release(index);
    if (!sums) {
      const bool is_ours = sums.error().code == ErrorCode::cancelled || sums.error().code == ErrorCode::io;
      return fail(is_ours ? sums.error() : sums.error().with_context(fmt::format("{}: tensor '{}'", model_.name, tensor.name)));
    }
    tensor.error = sums->finish();
  }
  return {};
}

Result<ExportResult> Exporter::run() {
  if (architecture_.empty())
    return fail(ErrorCode::unsupported, "{}: GGUF has no architecture for '{}' models; phi, phi3 and phimoe have one", model_.name, model_.config.architecture);
  PHISCOPE_TRY(add_matrices());
  PHISCOPE_TRY(add_vectors());
  PHISCOPE_TRY(describe());
  warn();
  PHISCOPE_ASSIGN(file_, GgufWriter::create(request_.target, metadata_, tensors_));
  for (const Content& content : contents_) {
    if (content.matrices.empty()) PHISCOPE_TRY(file_->write(std::as_bytes(content.values)));
    PHISCOPE_TRY(write_matrices(content));
  }
  PHISCOPE_TRY(file_->commit());
  PHISCOPE_ASSIGN(const FileRecord record, fingerprint_file(request_.target.parent_path(), request_.target.filename().string()));
  result_.path = request_.target;
  result_.bytes = record.bytes;
  result_.hash = record.hash;
  result_.recipe = request_.recipe.name;
  result_.bits_per_weight = bits_per_weight(result_.tensors);
  return std::move(result_);
}

Status check_target(const std::filesystem::path& target) {
  std::error_code error;
  if (std::filesystem::is_directory(target, error)) return fail(ErrorCode::invalid_argument, "{}: is a folder; name a .gguf file", target.string());
  if (!is_gguf(target)) return fail(ErrorCode::invalid_argument, "{}: name a file that ends in .gguf", target.string());
  if (target.has_parent_path()) std::filesystem::create_directories(target.parent_path(), error);
  return {};
}

}  // namespace

Result<ExportResult> export_gguf(const Model& model, const ExportRequest& request, std::string_view format) {
  PHISCOPE_TRY(check_target(request.target));
  return Exporter(model, request, format).run();
}

}  // namespace phiscope
