#include <array>

#include "app/cli/command.h"
#include "core/store/store.h"

namespace phiscope::cli {
namespace {

// To add a command: cmd_<name>.cpp, its declaration in command.h, a row here, a case in tests/cases.
constexpr std::array kCommands{
    CommandRow{"inspect", "Show a model: architecture, tensors, tokenizer, size in every precision",
               "phiscope inspect bundled:tiny-phi", &add_inspect},
    CommandRow{"tokenize", "Turn text into token ids and back", "phiscope tokenize bundled:tiny-phi --text 'It was a dark night'",
               &add_tokenize},
    CommandRow{"generate", "Continue a prompt", "phiscope generate bundled:tiny-phi --prompt 'In the beginning' --recipe int4",
               &add_generate},
    CommandRow{"logits", "Write the logits of given token ids, for anyone who wants to check us",
               "phiscope logits bundled:tiny-phi --ids 1,2,3 --backend reference --out logits.safetensors", &add_logits},
    CommandRow{"perplexity", "Perplexity of a text", "phiscope perplexity bundled:tiny-phi --file text.txt --chunks 8 --recipe int8",
               &add_perplexity},
    CommandRow{"quantize", "Write the model in another precision or format: artifact, Hugging Face folder, GGUF",
               "phiscope quantize bundled:tiny-phi --recipe int4:g64 --out tiny-int4", &add_quantize},
    CommandRow{"recipe", "List the recipes, or show one", "phiscope recipe show int4:lm_head=int4", &add_recipe},
    CommandRow{"bench", "Measure accuracy, latency and memory of precisions, side by side",
               "phiscope bench bundled:tiny-phi --recipe fp32,int8,int4 --suite quick", &add_bench},
    CommandRow{"compare", "Compare stored runs with a verdict per metric", "phiscope compare last last~1 --fail-on worse",
               &add_compare},
    CommandRow{"tokens", "Show where in the text a stored run's precision hurts, with both distributions",
               "phiscope tokens last --worst 20", &add_tokens},
    CommandRow{"report", "Write a report of stored runs", "phiscope report --format html --out report.html", &add_report},
    CommandRow{"advise", "Rank formats, engines and precisions for a device, from what was measured, published or estimated",
               "phiscope advise phi-4-mini --device raspberry-pi-5-8gb --need latency=250ms", &add_advise},
    CommandRow{"device", "Measure this machine; list and show device profiles", "phiscope device show snapdragon-x-elite", &add_device},
    CommandRow{"runs", "List, show, delete and export stored runs", "phiscope runs list", &add_runs},
    CommandRow{"cache", "List or clear packed weights and artifacts in the user cache", "phiscope cache list", &add_cache},
    CommandRow{"doctor", "Check the installation and say what is missing", "phiscope doctor", &add_doctor},
};

}  // namespace

std::span<const CommandRow> command_table() { return kCommands; }

void add_db_option(CLI::App& command, std::filesystem::path& db) {
  command.add_option("--db", db, "Database file (default: PHISCOPE_DB, or " + Store::default_path().string() + ")")->type_name("PATH");
}

void add_backend_option(CLI::App& command, std::string& backend) {
  command.add_option("--backend", backend, "Backend that computes: cpu, reference")->type_name("NAME");
}

void add_threads_option(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "Threads (default: the physical cores that this process may use)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
}

}  // namespace phiscope::cli
