"""Modules whose code has changed since it computed archived results, but no value that it computes.

Each counts in a digest as what it was; one that was not there does not count, nor does what it alone imports. An entry
is made by hand, with its reason, after trainings of every table that rests on it came out bit for bit as before it
(CONTRIBUTING.md, "A change that changes no value"); it goes with the next change of its module.
"""

from __future__ import annotations

# The digest of a module's code as it is, and the one that it counts as; None for a module that was not there.
SAME: dict[str, tuple[str, str | None]] = {
    # The way that a layer prints its options; spikes that parameters of a wider type had widened.
    "neurons": (
        "76d9b86c6108530049a94c453b5e810f01ee5c05677444d14e0dd65e9d952645",
        "796aabaa3c3e4b8886eb613b2ddc1cb7780502eccec1dc79daa039f7ff5426bb",
    ),
    "neurons.base": (
        "03ea75bb0c75484330e356f415983592ecd6c78ed22f86615a18133687511105",
        "c2b4fa07586d074265b97c60222ff3316cf8de26a901260891d3b57f05b19e82",
    ),
    # A method less, which printed options.
    "neurons.psn": (
        "046edae52d3e8e97b658e07402d47d5179421b347fe63a1475af6fc22126bcbd",
        "29d603a96df2d6dc0107a486ef6ac2a3c1b6f02c173563dbba23bd1aaeb9c69a",
    ),
    "neurons.glif": (
        "6ebd52543fe5aa420e6a3c91cd06420fa46097a70dfe228e0ec7d6e7e23ce527",
        "25bea3b71631bb0c70da935983d0743ab32cd54bb78e6c8e81b8668bd1d01a57",
    ),
    "neurons.relpsp": (
        "d5a720cf9549713f225cba0556d4e266fef9225c58f99434d98c13e19dccc00b",
        "5395f32732d806dc46f389d5d78e8745828db22ed954a03439c15646a565b971",
    ),
    # Layers on a CUDA device are asked for elsewhere; states go through the function that computes a sequence.
    "models.recurrent": (
        "f7d1197fa9f971888f195d59e3cfe437e1d789563b565d026cf4643c6920645e",
        "7d3edaa604876c3d2b51aa6caa0ddef30d1de522178cae14bebcb4fe48b5ab2e",
    ),
    "neurons.backends.recurrence": (
        "1644f21ee75fab5d3a2dfd1f9c8d2134fd86b8f05ef17cee3e8d6d0cfd5d3478",
        "19c4e0190270bcd0253b5790772f3351714a3cbe1beb5421529d2a7d70b22fc9",
    ),
    "neurons.backends.liquid_step": (
        "226d282d7ed037ade669a85e533c0b2f0b8a79b54505d701922cbf243aa7d165",
        "ae9d25a430752639a92f85086ee5a940fe77acddf632767252bacd90118b08dd",
    ),
    # The last rows of a product, four and two at a time: each sum has its old order.
    "neurons.backends.recurrence_cpp": (
        "b3112a30c32a9b8a7277092eb9359e8c75920fd4266c8355c95d62407bda2c9e",
        "712db239f6ed95e7cd65f2182630f956f4d8a1fe897a3b8e1d26089eaf7fe96d",
    ),
    # A damaged recording is told by a sentence, and never read beyond the end of its file.
    "tasks.fsdd": (
        "e5e61c9416373cb9d3f77919fbce3c7c66285879e35f620df5c35a88f8f3127b",
        "139d478e8b73c7cbfdb757c6d6fb800b1f15be02a873141216186f4dddf63a1b",
    ),
    # What follows the gradient has modules of its own; its passes have to leave PyTorch's bits before they are used.
    "training.fptt": (
        "35f19da457e0ebcd0326f9ff48b157ae6d823546317ad819a98f120426f01e76",
        "5ac51ac91f5e1106a99a83eef228c5fb71f1ffe419321bd18b1dab845c8231f2",
    ),
    "training.weight_update": (
        "001f68e2e963be47985e574da8b33835fb4fcd6dc7822399d6ab6ccc5cefafa1",
        None,
    ),
    "training.update_pass": (
        "b8c53899a04c6b6ad0b411f201d717e4c031adbbfafbc5de3e59dc6d53d559ba",
        None,
    ),
    "training.update_pass_cpp": (
        "e79f2923fa192558a54506b60d567644b3a7189ffa6bf5e6e4d14433135ba629",
        None,
    ),
    # One pass for batch norm, neurons and pooling, proven before it is used; networks that run it have other code.
    "neurons.backends.fused.block": (
        "89a169d33c4bbcfe78decc0469601a9a13376a57f1f65ac7030389e580c4136a",
        None,
    ),
    "neurons.backends.fused.block.call": (
        "340cc25561822169d6c7bf87bc4382e74fcb2139f4d49967f8aa1598f4340f96",
        None,
    ),
    "neurons.backends.fused.block.cpp": (
        "2fb2d8babd09446cb0e860d2fb1504cd0c1945baa9249d66e23bf1bfbf262488",
        None,
    ),
    "neurons.backends.fused.block.kernel": (
        "18112a49a8fb230c0867470dc684b487a2931c77aa493949d9b924cb29e54979",
        None,
    ),
    "neurons.backends.fused.block.product": (
        "2a754848d006a77686a6dc73f2cd19e36b45600ab683653737ae65438c615e61",
        None,
    ),
    "neurons.backends.fused.block.product_cpp": (
        "f67566a641eb80e03a02c04f7316da038aba424505705ca55c63b0e9aed6beff",
        None,
    ),
    "neurons.backends.fused.block.product_proof": (
        "00eaeed404686326c4b4417f320c4a05aca7ccc1d7eb6b67d6f5ee548ca5a741",
        None,
    ),
    "neurons.backends.fused.block.proof": (
        "4588fd505e5a3e27acdd3106ebe76724440145e9c0cc581de9da7c7c38dbc864",
        None,
    ),
    "neurons.backends.fused.packed": (
        "0ac9bda855ca2042e272c8ecbbe8d1105ad6981a4898048210d036bc5b84c8aa",
        None,
    ),
    "neurons.blocks": (
        "ef468b448d2b74fd76956cd9da4365c193b354caef00da3a03e2d752b1984d46",
        None,
    ),
}
