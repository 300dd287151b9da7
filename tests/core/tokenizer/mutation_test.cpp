// Thousands of damaged files with fixed seeds: each loads or is refused with a sentence, and what loads can be used.

#include <random>

#include "core/tokenizer/bpe_tokenizer.h"
#include "core/tokenizer/tokenizer_json.h"
#include "tests/core/tokenizer/tokenizer_folder.h"

namespace phiscope {
namespace {

std::string mutate(std::string text, std::mt19937& random) {
  const auto below = [&](size_t limit) { return random() % limit; };
  for (size_t edits = 1 + below(3); edits > 0 && !text.empty(); --edits) {
    const size_t at = below(text.size());
    switch (below(5)) {
      case 0: text[at] = static_cast<char>(below(256)); break;
      case 1: text.erase(at, 1 + below(20)); break;
      case 2: text.insert(at, text.substr(below(text.size()), below(40))); break;
      case 3: text.insert(at, 1, "{}[]\",:\\-9e"[below(11)]); break;
      default: text.resize(at); break;
    }
  }
  return text;
}

// Values of keys swapped: still JSON, but with other meanings.
Json shuffle_values(Json file, std::mt19937& random) {
  std::vector<Json::json_pointer> places;
  const Json flat = file.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    if (!pointer.starts_with("/model/vocab") || random() % 64 == 0) places.emplace_back(pointer);
  }
  for (int edits = 0; edits < 2; ++edits) {
    const Json value = file[places[random() % places.size()]];
    file[places[random() % places.size()]] = value;
  }
  return file;
}

bool survives(const std::string& text) {
  auto definition = read_tokenizer_json(text, "tokenizer.json");
  if (!definition) {
    EXPECT_NE(definition.error().message.find("tokenizer.json"), std::string::npos) << definition.error().message;
    return false;
  }
  const auto tokenizer = BpeTokenizer::create(*std::move(definition), {}, "tokenizer.json");
  if (!tokenizer) return false;
  const std::vector<int32_t> ids = (*tokenizer)->encode("abc <|x|> \xe4\xb8\xad\n ab", Specials::parse);
  for (const int32_t id : ids) EXPECT_TRUE(id >= 0 && id < (*tokenizer)->vocab_size());
  (void)(*tokenizer)->decode(ids, true);
  return true;
}

TEST(MutatedTokenizer, LoadsOrIsRefusedWithASentence) {
  const Json file = test::small_tokenizer();
  const std::string text = file.dump();
  std::mt19937 random(20240607);
  int loaded = 0, refused = 0;
  for (int i = 0; i < 2000; ++i) ++(survives(mutate(text, random)) ? loaded : refused);
  for (int i = 0; i < 500; ++i) ++(survives(shuffle_values(file, random).dump()) ? loaded : refused);
  EXPECT_GT(loaded, 50);
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace phiscope
