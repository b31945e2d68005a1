// c2f/dist/launch.hpp: which process of a training this is, as the launcher says in environment variables.
//
//   c2f::dist::launch const here = c2f::dist::launch_of_environment();
//   here.rank;  here.size;  here.local_rank;                    // 0, 1 and 0 without a launcher
//
// torchrun      RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT; TORCHELASTIC_USE_AGENT_STORE: whether its agent holds the store
// Open MPI      OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_RANK
// Slurm (srun)  SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID in a step (SLURM_STEP_ID); SLURM_JOB_NODELIST names the machine of rank 0
// MASTER_ADDR and MASTER_PORT are where rank 0 listens. With Open MPI on one machine and with Slurm they may be left out: the address is then
// 127.0.0.1 or the first machine of the list, and the port a function of the job. RANK and WORLD_SIZE win over the others. A batch script of
// Slurm without srun is one process.
//
// Errors: input_error for variables that are missing, no numbers, or contradict each other. It includes nothing of LibTorch.
#pragma once

#include <c2f/core/errors.hpp>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace c2f::dist {

/// A process of a training, and where the first one listens.
struct launch {
  int rank = 0, size = 1;
  int local_rank = 0;     ///< among the processes of this machine; chooses its GPU
  std::string address{};  ///< of rank 0; empty in a world of one
  std::uint16_t port = 0;
  bool agent_store   = false;  ///< whether the launcher holds the store at that address
  std::string launcher{};      ///< "torchrun", "Open MPI" or "Slurm"; empty: none
  friend bool operator==(launch const&, launch const&) = default;
};

/// Returns the value of an environment variable; nullopt if it is not set.
using environment = std::function<std::optional<std::string>(std::string const& name)>;

namespace detail {

/// The first machine of a list such as "gpu[003-007,12],login1".
inline std::string first_host(std::string_view list) {
  std::size_t const end = list.find_first_of("[,");
  std::string first(list.substr(0, end));
  if (end == std::string_view::npos || list[end] == ',') return first;
  std::string_view const inside = list.substr(end + 1);
  std::size_t const close = inside.find(']'), number = inside.find_first_of("-,]");
  if (close == std::string_view::npos || number == 0)
    throw input_error("SLURM_JOB_NODELIST is '" + std::string(list) + "', which is no list of machines; set MASTER_ADDR to that of rank 0");
  first += inside.substr(0, number);
  std::string_view const behind = inside.substr(close + 1);
  return first.append(behind.substr(0, behind.find(',')));
}

/// The variables of one launcher.
struct variables {
  environment const& get;

  [[nodiscard]] std::optional<std::string> text(std::string const& name) const {
    auto found = get(name);
    return found && !found->empty() ? found : std::nullopt;
  }
  [[nodiscard]] std::int64_t number(std::string const& name, std::string const& launcher, std::int64_t least, std::int64_t most) const {
    auto const found = text(name);
    if (!found)
      throw input_error(name + " is not set, though " + launcher +
                        " seems to have started this process; start it by the launcher alone, or set all variables");
    std::int64_t value = 0;
    auto const read    = std::from_chars(found->data(), found->data() + found->size(), value);
    if (read.ec != std::errc() || read.ptr != found->data() + found->size() || value < least || value > most)
      throw input_error(name + " is '" + *found + "'; it must be a number from " + std::to_string(least) + " to " + std::to_string(most));
    return value;
  }
  [[nodiscard]] int count(std::string const& name, std::string const& launcher, std::int64_t least) const {
    return static_cast<int>(number(name, launcher, least, 1'000'000));
  }
};

/// A port of 20000 ... 29999 that is the same for all processes of a job.
inline std::uint16_t port_of_job(std::string_view job) {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (char const each : job) hash = (hash ^ static_cast<unsigned char>(each)) * 16777619u;
  return static_cast<std::uint16_t>(20000 + hash % 10000);
}

}  // namespace detail

/// Reads the variables of a launcher.
[[nodiscard]] inline launch launch_of(environment const& get) {
  detail::variables const all{get};
  launch made;
  std::string rank, size, local_rank, job;
  if (all.text("RANK") || all.text("WORLD_SIZE")) {
    made.launcher = "torchrun", rank = "RANK", size = "WORLD_SIZE", local_rank = "LOCAL_RANK";
  } else if (all.text("OMPI_COMM_WORLD_RANK") || all.text("OMPI_COMM_WORLD_SIZE")) {
    made.launcher = "Open MPI", rank = "OMPI_COMM_WORLD_RANK", size = "OMPI_COMM_WORLD_SIZE", local_rank = "OMPI_COMM_WORLD_LOCAL_RANK";
    for (char const* name : {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "OMPI_MCA_orte_ess_jobid"})
      if (job.empty()) job = all.text(name).value_or("");
  } else if (all.text("SLURM_STEP_ID") && all.text("SLURM_PROCID")) {
    made.launcher = "Slurm", rank = "SLURM_PROCID", size = "SLURM_NTASKS", local_rank = "SLURM_LOCALID";
    job = all.text("SLURM_JOB_ID").value_or("") + "." + all.text("SLURM_STEP_ID").value_or("");
  } else {
    return made;
  }
  made.size       = all.count(size, made.launcher, 1);
  made.rank       = all.count(rank, made.launcher, 0);
  made.local_rank = all.text(local_rank) || made.launcher != "torchrun" ? all.count(local_rank, made.launcher, 0) : made.rank;
  if (made.rank >= made.size)
    throw input_error(rank + " is " + std::to_string(made.rank) + " and " + size + " is " + std::to_string(made.size) +
                      "; ranks count from 0, so it must be below");
  if (made.local_rank > made.rank)
    throw input_error(local_rank + " is " + std::to_string(made.local_rank) + " and " + rank + " is " + std::to_string(made.rank) +
                      "; the rank on a machine is not above the rank among all");
  if (made.size == 1) return made;

  made.agent_store = made.launcher == "torchrun" && all.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
  if (auto const address = all.text("MASTER_ADDR"); address)
    made.address = *address;
  else if (made.launcher == "Slurm")
    made.address = detail::first_host(all.text("SLURM_JOB_NODELIST").value_or(""));
  else if (made.launcher == "Open MPI" && all.text("OMPI_COMM_WORLD_LOCAL_SIZE") == std::to_string(made.size))
    made.address = "127.0.0.1";
  if (made.address.empty())
    throw input_error("MASTER_ADDR is not set, and " + made.launcher + " started " + std::to_string(made.size) +
                      " processes; set it to the address of the machine of rank 0");
  if (all.text("MASTER_PORT") || made.launcher == "torchrun" || job.empty())
    made.port = static_cast<std::uint16_t>(all.number("MASTER_PORT", made.launcher, 1, 65535));
  else
    made.port = detail::port_of_job(job);
  return made;
}

/// The same from the environment of this process.
[[nodiscard]] inline launch launch_of_environment() {
  return launch_of([](std::string const& name) -> std::optional<std::string> {
    char const* const found = std::getenv(name.c_str());
    return found == nullptr ? std::nullopt : std::optional<std::string>(found);
  });
}

}  // namespace c2f::dist
