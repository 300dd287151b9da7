#include "tests/core/tokenizer/tokenizer_folder.h"

#include "core/base/files.h"

namespace phiscope::test {
namespace {

constexpr const char* kGolden = "tokenizers/golden.json";

GoldenRow published(const std::string& name) {
  const std::string folder = "tokenizers/" + name;
  return {name, kGolden, folder, folder, ""};
}

std::string character(char32_t code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

}  // namespace

const std::vector<GoldenRow>& golden_rows() {
  static const std::vector<GoldenRow> rows{
      published("phi-2"),
      published("phi-3"),
      published("phi-3-mini"),
      published("phi-3-medium"),
      published("phi-tiny-moe"),
      {"phi-3.5-mini", kGolden, "tokenizers/phi-3-mini", "tokenizers/phi-3-mini", "tokenizers/phi-3.5-mini"},
      published("phi-4"),
      published("phi-4-mini"),
      {"phi-4-mini-reasoning", kGolden, "tokenizers/phi-4-mini", "tokenizers/phi-4-mini-reasoning", "tokenizers/phi-4-mini-reasoning"},
      {"phi-3-mini sentencepiece", kGolden, "tokenizers/phi-3-mini", "tokenizers/phi-3-mini", "", "tokenizer.model", "phi-3-mini"},
      {"phi-3.5-mini sentencepiece", kGolden, "tokenizers/phi-3-mini", "tokenizers/phi-3-mini", "tokenizers/phi-3.5-mini", "tokenizer.model", "phi-3.5-mini"},
      {"phi-3-small", kGolden, "tokenizers/phi-3-small", "tokenizers/phi-3-small", "", "cl100k_base.tiktoken"},
      {"phi-4 ranks", kGolden, "tokenizers/phi-3-small", "tokenizers/phi-4", "", "cl100k_base.tiktoken", "phi-4"},
      {"seeded", "tests/golden/tokenizer/seeded.json", "models/phi-3-mini-tiny", "models/phi-3-mini-tiny", ""},
      {"tiny_phi", "tests/golden/tokenizer/tiny_phi.json", "datasets/tiny_phi/model", "datasets/tiny_phi/model", ""},
  };
  return rows;
}

std::filesystem::path golden_path(const std::string& relative) {
  if (!relative.starts_with("datasets/") && !relative.starts_with("tests/")) return fixture(relative);
  const std::filesystem::path path = source_path(relative);
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

LoadedRow load_row(const GoldenRow& row) {
  LoadedRow loaded;
  const std::filesystem::path golden = golden_path(row.golden), tokenizer = golden_path(row.tokenizer), settings = golden_path(row.settings);
  if (golden.empty() || tokenizer.empty() || settings.empty()) return loaded;
  const TemporaryFolder folder;
  std::filesystem::create_symlink(tokenizer / row.file, folder / row.file);
  std::filesystem::create_symlink(settings / "tokenizer_config.json", folder / "tokenizer_config.json");
  if (!row.chat.empty()) std::filesystem::create_symlink(golden_path(row.chat) / "chat_template.jinja", folder / "chat_template.jinja");
  auto result = Tokenizer::load(folder.path());
  EXPECT_TRUE(result.has_value()) << row.name << ": " << result.error().message;
  auto document = read_json_file(golden);
  EXPECT_TRUE(document.has_value()) << document.error().message;
  if (!result || !document) return loaded;
  loaded.tokenizer = *result;
  loaded.golden = document->at(row.key.empty() ? row.name : row.key);
  return loaded;
}

Result<std::shared_ptr<const Tokenizer>> load_text(const std::string& tokenizer_json,
                                                   const std::vector<std::pair<std::string, std::string>>& companions) {
  const TemporaryFolder folder;
  EXPECT_TRUE(write_file(folder / "tokenizer.json", tokenizer_json).has_value());
  for (const auto& [name, content] : companions) EXPECT_TRUE(write_file(folder / name, content).has_value());
  return Tokenizer::load(folder.path());
}

Json small_tokenizer() {
  Json vocab = Json::object();
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool itself = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    vocab[character(static_cast<char32_t>(itself ? byte : next++))] = byte;
  }
  vocab["ab"] = 256;
  vocab["abc"] = 257;
  return Json{{"version", "1.0"},
              {"added_tokens", Json::array({Json{{"id", 258}, {"content", "<|x|>"}, {"special", true}, {"normalized", false}}})},
              {"normalizer", nullptr},
              {"pre_tokenizer", Json{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}}},
              {"post_processor", nullptr},
              {"decoder", Json{{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}}},
              {"model", Json{{"type", "BPE"}, {"vocab", vocab}, {"merges", Json::array({"a b", Json::array({"ab", "c"})})}}}};
}

std::vector<int32_t> ids_of(const Json& list) { return list.get<std::vector<int32_t>>(); }

}  // namespace phiscope::test
