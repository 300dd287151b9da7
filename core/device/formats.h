#pragma once
// The formats in which a Phi is deployed: what each costs in bits, which engine runs it where, how it is made. Bits from the format's own
// layout, scales included (docs: formats of the container; ggml, MatMulNBits, NNCF, MLX).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/device/profile.h"

namespace phiscope::device {

struct DeployFormat {
  std::string_view id;         // "gguf:Q4_0"
  std::string_view name;       // "GGUF Q4_0"
  std::string_view engine;     // id
  std::string_view precision;  // "int4", "int8", "fp16", "bf16", "fp32", "fp8": the word of the cookbook
  double body_bits, head_bits, embedding_bits;  // of a weight; a tied embedding is stored as the head
  std::string_view arithmetic;  // types that may multiply, best first, separated by spaces: the first for which the unit has a rate counts
  std::string_view units;       // "cpu gpu"
  std::string_view architectures;  // "phi phi3 phimoe"
  std::string_view scheme;      // how weights are rounded, the key of published quality; "" = as shipped, nothing is lost
  std::string_view recipe;      // Phiscope's recipe that rounds the same way: measured quality carries over; "" = none
  std::string_view command;     // makes it; {model} and {out} are filled in
  std::string_view note;        // what a user must know; may be empty
};
std::span<const DeployFormat> deploy_formats();

bool is_engine(std::string_view id);
std::string_view engine_name(std::string_view id);  // "ONNX Runtime GenAI"
std::string engine_names();                         // all ids, for a sentence

/// Does an engine of this unit run the format on a unit of this kind.
bool runs_on(const DeployFormat& format, const ComputeUnit& unit);
/// True when `list` ("cpu gpu") holds the word.
bool has_word(std::string_view list, std::string_view word);
/// The command with model and output folder filled in, quoted for a shell where needed.
std::string command_for(const DeployFormat& format, std::string_view model);

}  // namespace phiscope::device
