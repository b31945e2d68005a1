// c2f/cuda/autograd/fused_update.hpp: cuda/kernels/update.cuh for tensors.
//
// Errors: c2f::error where a gradient does not have the form that execution/fused_operations.hpp describes; nothing is changed then.
#pragma once

#include <c2f/execution/fused_operations.hpp>
#include <c2f/cuda/autograd/operation.hpp>
#include <c2f/cuda/kernels/update.cuh>

#include <ATen/ops/empty.h>

#include <algorithm>
#include <string>
#include <vector>

namespace c2f::cuda::detail {

/// The data of a tensor, or a null pointer where it is undefined.
template <class Number>
[[nodiscard]] Number const* read_if(at::Tensor const& tensor) {
  return tensor.defined() ? read<Number>(tensor) : nullptr;
}
template <class Number>
[[nodiscard]] Number* write_if(at::Tensor const& tensor) {
  return tensor.defined() ? write<Number>(tensor) : nullptr;
}

/// The parts that have a gradient. A piece of more than `most` elements becomes several parts.
inline std::vector<flat_part> parts_of(std::span<at::Tensor const> gradients, std::span<flat_piece const> pieces, double weight_decay,
                                       std::int64_t most = std::int64_t{1} << 31) {
  if (gradients.size() != pieces.size())
    throw error("an update was given " + std::to_string(gradients.size()) + " gradients for " + std::to_string(pieces.size()) + " pieces");
  std::vector<flat_part> parts;
  parts.reserve(pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    flat_piece const& piece    = pieces[i];
    at::Tensor const& gradient = gradients[i];
    if (!gradient.defined() || piece.size == 0) continue;
    bool const low = gradient.scalar_type() == at::kBFloat16;
    if (!(low || gradient.scalar_type() == at::kFloat) || gradient.numel() != piece.size || !gradient.is_non_overlapping_and_dense())
      throw error("gradient " + std::to_string(i) + " of an update has " + std::to_string(gradient.numel()) + " numbers of " +
                  toString(gradient.scalar_type()) + "; it must have " + std::to_string(piece.size) +
                  " of float or bfloat16, without gaps in memory");
    if (piece.begin % 64 != 0 || (i > 0 && piece.begin < pieces[i - 1].begin + pieces[i - 1].size))
      throw error("piece " + std::to_string(i) + " of an update begins at " + std::to_string(piece.begin) +
                  "; it must begin at a multiple of 64 behind the one before");
    auto const* const data = static_cast<char const*>(gradient.const_data_ptr());
    for (std::int64_t at = 0; at < piece.size; at += most)
      parts.push_back({.gradient                 = data + at * static_cast<std::int64_t>(gradient.element_size()),
                       .begin                    = static_cast<std::uint32_t>((piece.begin + at) / 64) & 0x7FFFFFFFu,
                       .in_bfloat16              = low ? 1u : 0u,
                       .size                     = static_cast<std::uint32_t>(std::min(most, piece.size - at)),
                       .learning_rate_multiplier = static_cast<float>(piece.learning_rate_multiplier),
                       .decay                    = static_cast<float>(weight_decay * piece.weight_decay_multiplier)});
  }
  return parts;
}

/// Calls work(table) for tables that hold all parts, in their order: one small table where they fit, which makes a cheaper kernel argument,
/// else as many large ones as needed.
template <class Work>
void for_tables(std::vector<flat_part> const& parts, Work const& work) {
  auto const with = [&]<int Most>(flat_table<Most> table) {
    for (std::size_t first = 0; first < parts.size(); first += Most) {
      table.count = static_cast<int>(std::min<std::size_t>(Most, parts.size() - first));
      std::copy_n(parts.begin() + static_cast<std::ptrdiff_t>(first), table.count, table.parts);
      work(table);
    }
  };
  if (parts.size() <= few_parts)
    with(flat_table<few_parts>{});
  else
    with(flat_table<many_parts>{});
}

/// fused_operations::sgd.
inline void sgd(flat_update const& update, sgd_rule const& rule) {
  for_tables(parts_of(update.gradients, update.pieces, update.weight_decay), [&]<int Most>(flat_table<Most> const& table) {
    for_blocks(sgd_update<Most>{.table         = table,
                                .parameters    = write<float>(update.parameters),
                                .momenta       = rule.momentum != 0 ? write<float>(rule.momenta) : nullptr,
                                .low           = write_if<bfloat16>(update.low),
                                .learning_rate = read<double>(update.learning_rate),
                                .scale         = read_if<float>(update.scale),
                                .skip          = read_if<float>(update.skip),
                                .momentum      = static_cast<float>(rule.momentum),
                                .nesterov      = rule.nesterov},
               table.chunks(), device_stream_of(update.parameters));
  });
}

/// fused_operations::adam.
inline void adam(flat_update const& update, adam_rule const& rule) {
  auto const parts             = parts_of(update.gradients, update.pieces, update.weight_decay);
  device_stream const where    = device_stream_of(update.parameters);
  at::Tensor const corrections = at::empty({2}, update.parameters.options().dtype(at::kDouble));
  for_each(adam_advance{write<std::int64_t>(rule.step), read_if<float>(update.skip), rule.beta1, rule.beta2, write<double>(corrections)}, 1,
           where);
  for_tables(parts, [&]<int Most>(flat_table<Most> const& table) {
    for_blocks(adam_update<Most>{.table         = table,
                                 .parameters    = write<float>(update.parameters),
                                 .first         = write<float>(rule.first),
                                 .second        = write<float>(rule.second),
                                 .low           = write_if<bfloat16>(update.low),
                                 .learning_rate = read<double>(update.learning_rate),
                                 .scale         = read_if<float>(update.scale),
                                 .skip          = read_if<float>(update.skip),
                                 .corrections   = read<double>(corrections),
                                 .beta1         = rule.beta1,
                                 .beta2         = rule.beta2,
                                 .epsilon       = rule.epsilon,
                                 .decoupled     = rule.decoupled},
               table.chunks(), where);
  });
}

/// fused_operations::gradient_norm.
inline void gradient_norm(std::span<at::Tensor const> gradients, std::span<flat_piece const> pieces, at::Tensor const& norm) {
  auto const parts          = parts_of(gradients, pieces, 0);
  device_stream const where = device_stream_of(norm);
  std::int64_t chunks       = 0;
  for_tables(parts, [&](auto const& table) { chunks += table.chunks(); });
  at::Tensor const partial = at::empty({chunks}, norm.options());
  double* to               = write<double>(partial);
  for_tables(parts, [&]<int Most>(flat_table<Most> const& table) {
    for_blocks(sum_of_squares<Most>{table, to}, table.chunks(), where);
    to += table.chunks();
  });
  for_blocks(norm_of_sums{read<double>(partial), chunks, write<double>(norm)}, 1, where);
}

/// fused_operations::decide_step.
inline void decide_step(at::Tensor const& norm, at::Tensor const& losses, double clip, step_outcome const& to) {
  for_each(cuda::decide_step{read<double>(norm), read<double>(losses), losses.numel(), clip, write<float>(to.skip), write<float>(to.scale),
                             write<double>(to.result)},
           1, device_stream_of(norm));
}

}  // namespace c2f::cuda::detail
