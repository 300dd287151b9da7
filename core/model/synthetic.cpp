#include <cmath>
#include <cstring>

#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/model/model.h"

namespace phiscope {
namespace {

// splitmix64 (Steele, Lea, Flood 2014) as a function of a counter: any word of a tensor without those before it.
inline uint64_t random_word(uint64_t seed, uint64_t index) {
  uint64_t z = seed + index * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// The lowest code would make the mean of a symmetric range negative, and a mean in every weight grows from layer to layer: it becomes the
// middle code.
inline uint64_t balance_nibbles(uint64_t word) {
  const uint64_t used = (word | word >> 1 | word >> 2 | word >> 3) & 0x1111111111111111u;
  return word | (used ^ 0x1111111111111111u) << 3;
}
inline uint64_t balance_bytes(uint64_t word) {
  uint64_t used = word | (word >> 4 & 0x0F0F0F0F0F0F0F0Fu);
  used |= used >> 2 & 0x3F3F3F3F3F3F3F3Fu;
  used = (used | (used >> 1 & 0x7F7F7F7F7F7F7F7Fu)) & 0x0101010101010101u;
  return word | (used ^ 0x0101010101010101u) << 7;
}

template <class Transform>
void fill_words(AlignedBuffer& buffer, size_t bytes, uint64_t seed, Transform transform) {
  const size_t words = bytes / 8;
  uint64_t* const out = reinterpret_cast<uint64_t*>(buffer.data());
  for (size_t i = 0; i < words; ++i) out[i] = transform(random_word(seed, i));
  const uint64_t last = transform(random_word(seed, words));
  std::memcpy(buffer.data() + words * 8, &last, bytes % 8);
}

// Standard deviations of the values made: uniform codes around the middle; sign and mantissa random at one exponent 2^e gives magnitudes
// uniform in [2^e, 2^(e+1)), whose root mean square is 2^e * sqrt(7/3).
constexpr double kCodeDeviation4 = 4.1833;   // sqrt(2 (1 + 4 + ... + 49) / 16)
constexpr double kCodeDeviation8 = 73.4677;  // sqrt(2 (1 + 4 + ... + 127^2) / 256)
constexpr double kFloatDeviation = 1.5275;

struct FloatBits {
  DType type;
  int exponent_shift, bias;
  uint64_t keep;    // sign and mantissa of every element in a word
  uint64_t repeat;  // copies an element's bits over the word
};
constexpr FloatBits kFloatBits[] = {
    {DType::f32, 23, 127, 0x807FFFFF807FFFFFu, 0x0000000100000001u},
    {DType::f16, 10, 15, 0x83FF83FF83FF83FFu, 0x0001000100010001u},
    {DType::bf16, 7, 127, 0x807F807F807F807Fu, 0x0001000100010001u},
};

void fill_floats(AlignedBuffer& buffer, size_t bytes, uint64_t seed, DType type, double deviation) {
  for (const FloatBits& row : kFloatBits) {
    if (row.type != type) continue;
    const auto exponent = static_cast<int>(std::lround(std::log2(deviation / kFloatDeviation)));
    const uint64_t pattern = (static_cast<uint64_t>(row.bias + exponent) << row.exponent_shift) * row.repeat;
    fill_words(buffer, bytes, seed, [&](uint64_t word) { return (word & row.keep) | pattern; });
  }
}

struct Buffers {
  AlignedBuffer codes, scales, zero_points;
};

Weight random_weight(const WeightEncoding& encoding, int64_t rows, int64_t columns, uint64_t seed) {
  const double deviation = 1 / std::sqrt(static_cast<double>(columns));  // keeps a product's size that of its input
  auto buffers = std::make_shared<Buffers>();
  const size_t code_bytes = static_cast<size_t>(rows) * encoding.code_bytes_per_row(columns);
  buffers->codes = AlignedBuffer(code_bytes);
  Weight weight{WeightView{encoding, rows, columns, buffers->codes.data(), nullptr, nullptr}, buffers};
  if (!encoding.is_integer()) {
    fill_floats(buffers->codes, code_bytes, seed, encoding.float_type, deviation);
    return weight;
  }
  const bool nibbles = encoding.bits == 4;
  if (nibbles) fill_words(buffers->codes, code_bytes, seed, balance_nibbles);
  else fill_words(buffers->codes, code_bytes, seed, balance_bytes);

  const auto groups = static_cast<size_t>(rows * encoding.groups(columns));
  const auto scale = static_cast<float>(deviation / (nibbles ? kCodeDeviation4 : kCodeDeviation8));
  buffers->scales = AlignedBuffer(groups * dtype_bytes(encoding.scale_type));
  if (encoding.scale_type == DType::f16) std::ranges::fill(buffers->scales.as<uint16_t>(), f32_to_f16(scale));
  else std::ranges::fill(buffers->scales.as<float>(), scale);
  weight.view.scales = buffers->scales.data();
  if (encoding.offset == OffsetClass::zero_point) {
    buffers->zero_points = AlignedBuffer(groups);
    std::ranges::fill(buffers->zero_points.as<uint8_t>(), static_cast<uint8_t>(nibbles ? 8 : 128));
    weight.view.zero_points = buffers->zero_points.as<uint8_t>().data();
  }
  return weight;
}

class SyntheticWeights : public WeightSource {
 public:
  SyntheticWeights(std::shared_ptr<const Plan> plan, std::vector<WeightEncoding> encodings, uint64_t seed)
      : plan_(std::move(plan)), encodings_(std::move(encodings)), seed_(seed) {}
  Result<Weight> tensor(int index) const override {
    const PlanTensor& tensor = plan_->tensors[static_cast<size_t>(index)];
    return random_weight(encoding(index), tensor.rows, tensor.columns, random_word(seed_, static_cast<uint64_t>(index) + 1));
  }
  WeightEncoding encoding(int index) const override { return encodings_[static_cast<size_t>(index)]; }
  std::string hash() const override { return ""; }

 private:
  std::shared_ptr<const Plan> plan_;
  std::vector<WeightEncoding> encodings_;
  uint64_t seed_;
};

}  // namespace

Result<Model> make_synthetic(std::string_view name, const Recipe& recipe, uint64_t seed) {
  std::vector<std::string> names;
  for (const SyntheticModel& known : synthetic_models()) {
    names.push_back(known.name);
    if (known.name != name) continue;
    Model model;
    model.name = fmt::format("synthetic:{}", name);
    model.config = known.config;
    PHISCOPE_ASSIGN(Plan plan, lower(known.config));
    std::vector<WeightEncoding> encodings;
    for (const PlanTensor& tensor : plan.tensors) {
      const WeightRule& rule = recipe.rule_for(tensor.tensor_class, tensor.name);
      WeightEncoding source;
      source.float_type = known.config.dtype;
      encodings.push_back(rule.keep_source ? source : rule.encoding);
    }
    model.plan = std::make_shared<const Plan>(std::move(plan));
    model.weights = std::make_shared<SyntheticWeights>(model.plan, std::move(encodings), seed);
    model.notices.push_back("random weights of this model's shape: speed and memory are real, accuracy has no meaning");
    model.hash = hash_text(fmt::format("{} {} {}", model.name, recipe.name, seed));
    return model;
  }
  const std::string nearest = nearest_name(name, names);
  return fail(ErrorCode::not_found, "there is no synthetic model '{}'{}; known are {}", name, nearest.empty() ? "" : fmt::format(", did you mean '{}'?", nearest),
              fmt::join(names, ", "));
}

}  // namespace phiscope
