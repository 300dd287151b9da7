#pragma once
// The tables that kernel tests run on: every instruction set of this machine, and those that it lacks through SIMDe.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backends/cpu/kernels/kernel_rows.h"
#include "core/base/platform/platform.h"

namespace phiscope::cpu {

#if defined(PHISCOPE_HAS_SIMDE_TWINS)
extern const KernelTable kAvx512KernelsSimde, kAvx512VnniKernelsSimde, kAvx512Bf16KernelsSimde, kAvx512AmxKernelsSimde;
#endif

struct TestedTable {
  std::string name;
  const KernelTable* table;
};

inline std::vector<TestedTable> tested_tables() {
  std::vector<TestedTable> tables;
  for (const KernelRow& row : kernel_rows()) {
    if ((row.needs & ~platform::cpu_info().features) == 0) tables.push_back({row.name, row.table});
  }
#if defined(PHISCOPE_HAS_SIMDE_TWINS)
  tables.push_back({"avx512_simde", &kAvx512KernelsSimde});
  tables.push_back({"avx512_vnni_simde", &kAvx512VnniKernelsSimde});
  tables.push_back({"avx512_bf16_simde", &kAvx512Bf16KernelsSimde});
  tables.push_back({"avx512_amx_simde", &kAvx512AmxKernelsSimde});
#endif
  return tables;
}

inline void PrintTo(const TestedTable& tested, std::ostream* out) { *out << tested.name; }

class KernelTest : public testing::TestWithParam<TestedTable> {
 protected:
  const KernelTable& kernels() const { return *GetParam().table; }
};

#define PHISCOPE_EVERY_TABLE(suite)                                                                    \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, testing::ValuesIn(tested_tables()), [](const auto& one) { return one.param.name; })

}  // namespace phiscope::cpu
