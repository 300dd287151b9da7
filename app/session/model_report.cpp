#include "app/session/model_report.h"

#include <fmt/format.h>

#include "core/base/hash.h"
#include "core/convert/artifact.h"
#include "core/format/gguf.h"
#include "core/format/tensor_file.h"

namespace phiscope::session {
namespace {

constexpr double kKvScaleBytesPerHead = 2;  // one f16 scale per position and head of an INT8 or INT4 cache

double kv_element_bytes(KvType type) {
  switch (type) {
    case KvType::f32: return 4;
    case KvType::f16: return 2;
    case KvType::int8: return 1;
    case KvType::int4: return 0.5;
  }
  return 2;
}

std::vector<TensorRow> rows_of_files(const TensorFiles& files) {
  std::vector<TensorRow> rows;
  for (const TensorEntry& entry : files.tensors())
    rows.push_back({entry.name, std::string(entry.view.type_name()), entry.view.shape, entry.view.bytes()});
  return rows;
}

void add_tokenizer(ModelReport& report, const std::filesystem::path& folder) {
  auto tokenizer = Tokenizer::load(folder);
  if (!tokenizer) {
    report.notices.push_back(tokenizer.error().message);
    return;
  }
  report.tokenizer = *tokenizer;
  if (report.tokenizer->vocab_size() > report.config.vocab_size)
    report.notices.push_back(fmt::format("the tokenizer has ids up to {}, but the model has only {} rows: they do not belong together",
                                         report.tokenizer->vocab_size() - 1, report.config.vocab_size));
}

Status add_folder(ModelReport& report, const std::filesystem::path& folder) {
  PHISCOPE_ASSIGN(report.config, load_config(folder));
  auto files = TensorFiles::open_folder(folder);
  if (files) {
    report.tensors = rows_of_files(**files);
  } else if (files.error().code == ErrorCode::not_found) {
    report.notices.push_back(fmt::format("{}; sizes are computed from config.json", files.error().message));
  } else {
    return fail(files.error());
  }
  auto model = files ? load_model(folder) : Result<Model>(tl::unexpect, Error{});
  if (model) {
    report.hash = model->hash;
    report.notices.insert(report.notices.end(), model->notices.begin(), model->notices.end());
  } else if (files) {
    report.notices.push_back(fmt::format("cannot be run: {}", model.error().message));
  }
  add_tokenizer(report, folder);
  return {};
}

/// Also a vocabulary alone, which cannot be run.
Status add_gguf(ModelReport& report, const std::filesystem::path& path) {
  PHISCOPE_ASSIGN(const auto file, GgufFile::open(path));
  PHISCOPE_ASSIGN(report.config, load_config(path));
  report.tensors = rows_of_files(*file->tensors());
  if (const auto model = load_model(path)) {
    report.hash = model->hash;
    report.weights = model->weights;
    report.notices = model->notices;
  } else {
    report.notices.push_back(fmt::format("cannot be run: {}", model.error().message));
  }
  add_tokenizer(report, path);
  return {};
}

Status add_artifact(ModelReport& report, const std::filesystem::path& folder) {
  PHISCOPE_ASSIGN(report.config, load_config(folder));
  PHISCOPE_ASSIGN(const Artifact artifact, open_artifact(folder));
  for (size_t i = 0; i < artifact.tensors.size(); ++i) {
    const PlanTensor& tensor = artifact.plan->tensors[i];
    report.tensors.push_back({tensor.name, artifact.tensors[i].encoding.name(), {tensor.rows, tensor.columns}, artifact.tensors[i].bytes});
  }
  report.hash = artifact.hash;
  report.notices.push_back(fmt::format("made by recipe {} at {:.2f} bits per weight", artifact.recipe, artifact.bits_per_weight));
  add_tokenizer(report, folder);
  return {};
}

Status add_synthetic(ModelReport& report, std::string_view argument) {
  const std::string name(argument.substr(argument.find(':') + 1));
  for (const SyntheticModel& model : synthetic_models()) {
    if (model.name != name) continue;
    report.config = model.config;
    report.hash = hash_text("synthetic:" + name);
    report.notices.emplace_back("random weights: speed and memory are real, accuracy has no meaning");
    return {};
  }
  std::string known;
  for (const SyntheticModel& model : synthetic_models()) known += (known.empty() ? "" : ", ") + model.name;
  return fail(ErrorCode::not_found, "there is no synthetic model '{}'; there are {}", name, known);
}

}  // namespace

PrecisionSize size_under_recipe(const Plan& plan, const Recipe& recipe, DType source_type, const WeightSource* stored) {
  PrecisionSize size{recipe.name, recipe.description, 0, 0, 0};
  int64_t elements = 0;
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const PlanTensor& tensor = plan.tensors[i];
    const WeightRule& rule = recipe.rule_for(tensor.tensor_class, tensor.name);
    WeightEncoding encoding = rule.encoding;
    if (rule.keep_source) {
      encoding = {};
      encoding.float_type = source_type;
      if (stored != nullptr) encoding = stored->encoding(static_cast<int>(i));
    }
    size.weight_bytes += encoding.bytes(tensor.rows, tensor.columns);
    elements += tensor.rows * tensor.columns;
  }
  size.bits_per_weight = elements == 0 ? 0 : 8.0 * static_cast<double>(size.weight_bytes) / static_cast<double>(elements);
  for (const PlanVector& vector : plan.vectors) size.weight_bytes += vector.values.size() * sizeof(float);
  const double heads = static_cast<double>(2 * plan.layers * plan.kv_heads);
  const bool scaled = recipe.kv == KvType::int8 || recipe.kv == KvType::int4;
  size.kv_bytes_per_token = static_cast<uint64_t>(
      heads * (static_cast<double>(plan.head_dim) * kv_element_bytes(recipe.kv) + (scaled ? kKvScaleBytesPerHead : 0)));
  return size;
}

std::vector<PublishedModel> published_models() {
  std::vector<PublishedModel> rows;
  for (const SyntheticModel& model : synthetic_models()) {
    const auto plan = lower(model.config);
    if (!plan) continue;  // every row has a plan: tests/core/model/synthetic_test.cpp
    PublishedModel row{model.name, model.title, model.config.architecture, model.checked, plan->parameters(), {}};
    for (const Recipe& recipe : builtin_recipes()) row.sizes.push_back(size_under_recipe(*plan, recipe, model.config.dtype));
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<ModelReport> inspect_model(std::string_view argument) {
  PHISCOPE_ASSIGN(const ModelReference reference, resolve_model(argument));
  ModelReport report;
  report.name = reference.name;
  using Kind = ModelReference::Kind;
  switch (reference.kind) {
    case Kind::folder:
      if (is_gguf(reference.path)) {
        report.kind = "GGUF file";
        PHISCOPE_TRY(add_gguf(report, reference.path));
        break;
      }
      report.kind = "Hugging Face folder";
      PHISCOPE_TRY(add_folder(report, reference.path));
      break;
    case Kind::artifact:
      report.kind = "artifact";
      PHISCOPE_TRY(add_artifact(report, reference.path));
      break;
    case Kind::synthetic:
      report.kind = "synthetic";
      PHISCOPE_TRY(add_synthetic(report, reference.name));
      break;
  }
  PHISCOPE_ASSIGN(const Plan plan, lower(report.config));
  report.parameters = plan.parameters();
  for (const Recipe& recipe : builtin_recipes()) report.sizes.push_back(size_under_recipe(plan, recipe, report.config.dtype, report.weights.get()));
  return report;
}

}  // namespace phiscope::session
